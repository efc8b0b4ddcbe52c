"""What Weave Net has left on a node: links, programs, CNI configuration, chains, data.

Names from Weave's own `weave reset` and its CNI installation (weave 2.8.1, the last release).
"""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script
from tasks.facts.asked import Asked, fields

DATAPATH = "datapath"  # an Open vSwitch datapath: no link that `ip` could remove

_PROGRAM = """
links() { ip -o link show | cut -d: -f2 | cut -d@ -f1 | tr -d ' '; }
for name in $(links); do
  case $name in weave|vethwe-*|vethwepl*|vxlan-6784|datapath) printf 'link\\t%s\\n' "$name" ;; esac
done
for path in /opt/cni/bin/weave-* /etc/cni/net.d/*weave* /var/lib/weave; do
  if [ -e "$path" ] || [ -L "$path" ]; then printf 'path\\t%s\\n' "$path"; fi
done
for save in iptables-nft-save iptables-legacy-save; do
  command -v "$save" > /dev/null || continue
  "$save" 2>/dev/null | grep -q WEAVE && printf 'rules\\t%s\\n' "$save"
done
true
"""


@dataclass(frozen=True)
class WeaveLeft:
    """`links` by name, `paths` of files and folders, `rules`: the programs that show WEAVE chains."""

    links: tuple[str, ...]
    paths: tuple[str, ...]
    rules: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether Weave was ever here."""
        return bool(self.links or self.paths or self.rules)


def parse(output: str) -> WeaveLeft:
    """Raises ValueError or KeyError for anything else than the program's lines."""
    found: dict[str, list[str]] = {"link": [], "path": [], "rules": []}
    for line in output.splitlines():
        kind, name = fields(line, 2)
        found[kind].append(name)
    return WeaveLeft(tuple(found["link"]), tuple(found["path"]), tuple(found["rules"]))


def ask() -> Asked[WeaveLeft]:
    """The question."""
    return Asked("what Weave has left", Script.of(_PROGRAM), parse)
