"""Removes what Weave Net has left on a node; files and rules are kept aside, so that they can be put back.

Links cannot be put back: Weave makes them anew when it starts.
"""

from __future__ import annotations

import posixpath

from inventory.models.change import Action, Change, Run
from inventory.models.command import Command, Script
from tasks.facts.weave import DATAPATH, WeaveLeft
from tasks.operations.files import STATE

KEPT = f"{STATE}/left/weave"
_WHY = "Weave Net has left it"

_MOVE = 'umask 077; mkdir -p "$(dirname "$2")" && rm -rf -- "$2" && mv -T -- "$1" "$2"'
# $1 the program that saves, $2 where the rules are kept. Rules that jump to a chain go before the chain.
_UNRULE = r"""
set -e
umask 077; mkdir -p "$(dirname "$2")"
restore=${1%-save}-restore
"$1" | grep -e '^[*]' -e '^COMMIT' -e WEAVE > "$2"
"$1" | awk '
  /^[*]/ { print; next }
  /^COMMIT/ { for (i = 1; i <= n; i++) print "-X " chain[i]; n = 0; print; next }
  /^:WEAVE/ { name = substr($1, 2); chain[++n] = name; print "-F " name; next }
  /^-A WEAVE/ { next }
  /WEAVE/ { sub(/^-A/, "-D"); print }
' | "$restore" --noflush
"""
_DATAPATH = """
if command -v ovs-dpctl > /dev/null; then ovs-dpctl del-dp "$1"
elif ! ip link delete "$1" 2>/dev/null; then
  echo "the datapath $1 cannot be removed without ovs-dpctl (openvswitch-switch): reboot the node" >&2
  exit 1
fi
"""


def plan(host: str, left: WeaveLeft) -> list[Change]:
    """Rules first, then links (the bridge after its ports), then what would start it again."""
    changes = [_rules(host, save) for save in left.rules]
    # `weave` last but one: its ports are removed with their peers, the datapath holds one of them.
    ordered = sorted(left.links, key=lambda name: (name == DATAPATH, name == "weave", name))
    changes += [_link(host, name) for name in ordered]
    return [*changes, *(_path(host, path) for path in left.paths)]


def _rules(host: str, save: str) -> Change:
    kept = posixpath.join(KEPT, f"{save.removesuffix('-save')}.rules")
    restore = f"{save.removesuffix('-save')}-restore"
    undo = Run(Script.of('"$1" --noflush < "$2"', restore, kept))
    remove = Run(Script.of(_UNRULE, save, kept))
    return Change(host, f"chains WEAVE-* ({save})", _WHY, "there", "absent", (remove,), (undo,))


def _link(host: str, name: str) -> Change:
    # A port goes with its other end, which may have been removed a moment ago.
    plain = Script.of('[ ! -e "/sys/class/net/$1" ] || ip link delete "$1"', name)
    remove: Action = Run(Script.of(_DATAPATH, name) if name == DATAPATH else plain)
    return Change(host, f"link {name}", _WHY, "there", "absent", (remove,))


def _path(host: str, path: str) -> Change:
    kept = KEPT + path
    return Change(
        host,
        f"path {path}",
        _WHY,
        "there",
        f"kept as {kept}",
        (Run(Script.of(_MOVE, path, kept)),),
        (Run(Command.of("mv", "-T", "--", kept, path)),),
    )
