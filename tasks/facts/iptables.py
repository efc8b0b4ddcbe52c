"""iptables as `iptables-save` prints it: chains, their rules, and kube-proxy's Services in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from inventory.models.command import Command, Script
from tasks.facts.asked import Asked

# kube-proxy 1.25, pkg/proxy/userspace; releases from 1.26 on neither use nor remove them.
USERSPACE_CHAINS = (
    "KUBE-PORTALS-CONTAINER",
    "KUBE-PORTALS-HOST",
    "KUBE-NODEPORT-CONTAINER",
    "KUBE-NODEPORT-HOST",
    "KUBE-NODEPORT-NON-LOCAL",
)
_SERVICE = re.compile(r"^(?P<service>\S+/\S+) cluster IP$")


@dataclass(frozen=True)
class Rules:
    """Per table, per chain, its rules as lists of words (without `-A CHAIN`); an empty chain has none."""

    tables: Mapping[str, Mapping[str, tuple[tuple[str, ...], ...]]]

    def chain(self, table: str, name: str) -> tuple[tuple[str, ...], ...] | None:
        """A chain's rules, or None where there is no such chain."""
        return self.tables.get(table, {}).get(name)

    def chains(self, prefix: str, table: str = "nat") -> tuple[str, ...]:
        """The names of a table's chains that begin so."""
        return tuple(name for name in self.tables.get(table, {}) if name.startswith(prefix))

    def jumps(self, table: str, chain: str) -> tuple[str, ...]:
        """Where a chain's rules jump to, in order."""
        rules = self.chain(table, chain) or ()
        return tuple(rule[rule.index("-j") + 1] for rule in rules if "-j" in rule[:-1])

    def userspace(self) -> Mapping[str, tuple[str, ...]]:
        """Per table, the chains of kube-proxy's userspace mode; a table without any is left out."""
        found = {
            table: tuple(c for c in USERSPACE_CHAINS if c in chains) for table, chains in self.tables.items()
        }
        return {table: chains for table, chains in found.items() if chains}

    def endpoints(self) -> Mapping[str, frozenset[str]]:
        """kube-proxy in iptables mode: `namespace/name:port` -> its endpoints as `address:port`.

        Only Services with a KUBE-SVC chain are named: those with at least one ready endpoint.
        """
        found: dict[str, frozenset[str]] = {}
        for rule in self.chain("nat", "KUBE-SERVICES") or ():
            service = _SERVICE.match(_after(rule, "--comment"))
            chain = _after(rule, "-j")
            if service and chain.startswith("KUBE-SVC-"):
                seps = {jump for jump in self.jumps("nat", chain) if jump.startswith("KUBE-SEP-")}
                found[service["service"]] = frozenset(self._destination(sep) for sep in seps)
        return found

    def _destination(self, sep: str) -> str:
        for rule in self.chain("nat", sep) or ():
            if _after(rule, "-j") == "DNAT":
                return _after(rule, "--to-destination")
        return ""


def _after(rule: tuple[str, ...], word: str) -> str:
    return rule[rule.index(word) + 1] if word in rule[:-1] else ""


def parse(output: str) -> Rules:
    """Raises ValueError where a line is not of iptables-save."""
    tables: dict[str, dict[str, list[tuple[str, ...]]]] = {}
    table = ""
    for line in output.splitlines():
        if not line or line.startswith("#") or line == "COMMIT":
            continue
        if line.startswith("*"):
            table = line[1:]
            tables.setdefault(table, {})
        elif line.startswith(":") and table:
            tables[table].setdefault(line[1:].split()[0], [])
        elif line.startswith("-A ") and table:
            words = shlex.split(line)
            tables[table].setdefault(words[1], []).append(tuple(words[2:]))
        else:
            raise ValueError(f"not a line of iptables-save: {line[:100]!r}")
    return Rules(
        {name: {chain: tuple(rules) for chain, rules in chains.items()} for name, chains in tables.items()}
    )


def ask() -> Asked[Rules]:
    """The question about all tables, in the variant that `iptables` is on this host."""
    return Asked("iptables", Command.of("iptables-save"), parse)


def parse_variants(output: str) -> Mapping[str, int]:
    """Raises ValueError where there are not both counts."""
    found = {name: int(count) for name, count in (line.split() for line in output.splitlines())}
    if set(found) != {"legacy", "nft"}:
        raise ValueError(f"counts of legacy and nft expected: {output!r}")
    return found


def ask_variants() -> Asked[Mapping[str, int]]:
    """How many lines of Kubernetes each variant holds; a variant that is not installed holds none."""
    program = """
for variant do
  saved=""
  if command -v "iptables-$variant-save" > /dev/null; then saved=$("iptables-$variant-save") || exit 1; fi
  printf '%s %s\\n' "$variant" "$(printf '%s\\n' "$saved" | grep -c KUBE-)"
done
"""
    return Asked("iptables variants", Script.of(program, "legacy", "nft"), parse_variants)
