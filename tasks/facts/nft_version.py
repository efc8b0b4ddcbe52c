"""The version of `nft`: of the one that is installed, or of the package that would be."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROGRAM = """
if command -v nft > /dev/null; then printf 'installed %s\\n' "$(nft --version)"
elif command -v apt-cache > /dev/null; then
  printf 'candidate %s\\n' "$(apt-cache policy nftables | sed -n 's/^  Candidate: //p')"
else echo 'candidate '
fi
"""
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Nft:
    """`version` is None where there is none: neither installed nor known to the package manager."""

    installed: bool
    version: tuple[int, int, int] | None


def command() -> Shellable:
    """Ask for it."""
    return Script.of(_PROGRAM)


def parse(output: str) -> Nft:
    """Raises ValueError where an installed nft tells no version."""
    word, _, said = output.strip().partition(" ")
    if word not in ("installed", "candidate"):
        raise ValueError(f"no version of nft: {output[:80]!r}")
    found = _VERSION.search(said)
    if found is None and word == "installed":
        raise ValueError(f"nft tells no version: {said[:80]!r}")
    version = (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None
    return Nft(word == "installed", version)


def ask() -> Asked[Nft]:
    """The question."""
    return Asked("version of nft", command(), parse)
