"""flanneld as it runs on a node, whoever started it: its health port, and whether it has written its subnet.

A port of 0, the default, is none (flannel's Documentation/configuration.md). flanneld writes `subnet.env`
each time that it starts, once its network is registered. k3s has flannel within its own process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inventory.models.command import Script
from tasks.facts.asked import Asked, fields
from tasks.facts.flannel import SUBNET_FILE

# Only words that hold no secret are told: the flags, and the two variables that stand for flags.
_PROGRAM = """
for comm in /proc/[0-9]*/comm; do
  IFS= read -r name 2> /dev/null < "$comm" || continue
  case $name in flanneld|k3s*) ;; *) continue ;; esac
  folder=${comm%/comm}
  stat=$(cat "$folder/stat" 2> /dev/null) || continue
  set -- "$1" ${stat##*) }
  printf 'program\\t%s\\nstarted_ticks\\t%s\\n' "$name" "${21}"
  tr '\\0\\t' '\\n ' 2> /dev/null < "$folder/cmdline" |
    sed -n '/^--*healthz-[a-z]*$/{N;s/\\n/=/};s/^--*healthz-/flag\\t/p'
  tr '\\0\\t' '\\n ' 2> /dev/null < "$folder/environ" | sed -n 's/^FLANNELD_HEALTHZ_/variable\\t/p'
  [ "$name" != flanneld ] || break
done
sed -n 's/^btime /booted_s\\t/p' /proc/stat
printf 'ticks_a_second\\t%s\\n' "$(getconf CLK_TCK)"
if [ -e "$1" ]; then printf 'subnet_s\\t%s\\n' "$(stat -c %Y "$1")"; fi
"""


@dataclass(frozen=True)
class Flanneld:
    """`program` is `flanneld`, or that of which flannel is a part. `health` is `ADDRESS:PORT`, empty: none.

    `after_start_s` is how long after its start the subnet was written, below 0 for one of before; None where
    there is no subnet.
    """

    program: str
    health: str
    after_start_s: float | None


def parse(output: str) -> Flanneld | None:
    """None where no such process runs. Raises ValueError or KeyError where a line is missing."""
    rows = [fields(line, 2) for line in output.splitlines() if line]
    values = dict(row for row in rows if row[0] not in ("flag", "variable"))
    if "program" not in values:
        return None
    flags = _named(value for name, value in rows if name == "flag")
    variables = _named(value.lower() for name, value in rows if name == "variable")
    port = flags.get("port") or variables.get("port") or "0"
    address = flags.get("ip") or variables.get("ip") or "0.0.0.0"  # noqa: S104 - flanneld's default
    host = "127.0.0.1" if address in ("0.0.0.0", "::") else address  # noqa: S104
    written = None
    if "subnet_s" in values:
        started = int(values["booted_s"]) + int(values["started_ticks"]) / int(values["ticks_a_second"])
        written = int(values["subnet_s"]) - started
    return Flanneld(values["program"], f"{host}:{int(port)}" if int(port) else "", written)


def _named(words: Iterable[str]) -> Mapping[str, str]:
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def ask() -> Asked[Flanneld | None]:
    """The question."""
    return Asked("flanneld", Script.of(_PROGRAM, SUBNET_FILE), parse)
