"""The CNI configuration of a node: a `bridge` on its flannel subnet, rendered at each start of flanneld.

It is what flannel's own CNI plugin does (it renders a `bridge` delegate out of subnet.env), with hairpin mode
on, so that a pod reaches itself through its Service. It is rendered on the node, because the subnet is known
there only, and can be another one after a lost lease.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from inventory.models.change import Change, RemoveFile, Run
from inventory.models.command import Command
from tasks.facts import files as file_facts
from tasks.facts.asked import Asked
from tasks.facts.flannel import SUBNET_FILE, SubnetEnv, ask_subnet
from tasks.facts.gather import Facts
from tasks.operations.files import Wanted

FOLDER = "/etc/safe-harbor/cni"
TEMPLATE = f"{FOLDER}/10-flannel.conflist.template"
RENDER_SCRIPT = f"{FOLDER}/render.sh"
CONFLIST = "/etc/cni/net.d/10-flannel.conflist"
STARTING = "/run/flannel/starting"  # as old as flanneld's last start

_RENDER = """# Written by safe-harbor: renders $conflist from $subnet.
set -eu
conflist={conflist} subnet={subnet} template={template} starting={starting}
# flanneld tells systemd that it is ready before it writes the file; an older one is of the last start.
tries=0
until [ -s "$subnet" ] && [ "$subnet" -nt "$starting" ]; do
  tries=$((tries + 1))
  [ "$tries" -le 150 ] || {{ echo "flanneld has not written $subnet in 30 s" >&2; exit 1; }}
  sleep 0.2
done
. "$subnet"
address=${{FLANNEL_SUBNET%/*}}
# flanneld names the gateway, the first address of the subnet; host-local wants the network itself.
network="${{address%.*}}.$((${{address##*.}} - 1))/${{FLANNEL_SUBNET#*/}}"
mkdir -p "${{conflist%/*}}"
sed -e "s|@SUBNET@|$network|" -e "s|@NETWORK@|$FLANNEL_NETWORK|" -e "s|@MTU@|$FLANNEL_MTU|" \\
  "$template" > "$conflist.new"
if cmp -s "$conflist.new" "$conflist"; then rm "$conflist.new"; else mv "$conflist.new" "$conflist"; fi
# A bridge that pods of another backend have made keeps its MTU for ever.
[ ! -e /sys/class/net/cni0 ] || ip link set cni0 mtu "$FLANNEL_MTU"
"""


def template() -> str:
    """The conflist, with @SUBNET@, @NETWORK@ and @MTU@ in it."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipMasq": False,  # flanneld masquerades
        "mtu": 0,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "@SUBNET@"}]],
            "routes": [{"dst": "@NETWORK@"}],
        },
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    text = json.dumps({"cniVersion": "1.0.0", "name": "cbr0", "plugins": plugins}, indent=2)
    return text.replace('"mtu": 0', '"mtu": @MTU@') + "\n"


def render(subnet: SubnetEnv) -> str:
    """The conflist of a node with this subnet, as the script on the node renders it."""
    text = template().replace("@SUBNET@", str(subnet.subnet.network)).replace("@MTU@", str(subnet.mtu))
    return text.replace("@NETWORK@", str(subnet.network))


def files() -> tuple[Wanted, ...]:
    """What flanneld's unit runs at each start, and only then: a lost lease ends flanneld, too."""
    script = _RENDER.format(conflist=CONFLIST, subnet=SUBNET_FILE, template=TEMPLATE, starting=STARTING)
    return (Wanted(TEMPLATE, template().encode()), Wanted(RENDER_SCRIPT, script.encode()))


def questions() -> tuple[Asked[Any], ...]:
    """What must be known of the node."""
    return (file_facts.ask([CONFLIST]), ask_subnet())


def plan_conflist(host: str, facts: Facts) -> list[Change]:
    """The conflist, where it is missing or not what the node's subnet makes of it; comes after flanneld."""
    found, subnet = facts.of(file_facts.ask([CONFLIST]))[CONFLIST], facts.of(ask_subnet())
    if subnet and found.sha256 == hashlib.sha256(render(subnet).encode()).hexdigest():
        return []
    return [
        Change(
            host=host,
            subject=f"file {CONFLIST}",
            why="the network of the node's pods",
            before=str(found),
            after=f"bridge on {subnet.subnet.network if subnet else 'the subnet that flanneld gets'}",
            apply=(Run(Command.of("sh", RENDER_SCRIPT), timeout_s=40),),
            undo=() if found.exists else (RemoveFile(CONFLIST),),
        )
    ]
