"""flanneld bound to an interface that leads nowhere, as the first one of a machine may be."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, on_node

# A bridge with no port plays the other interface. The drop-in lies in /run: a boot forgets it.
_CREATE = """
set -e
ip link add sh-fault type bridge
ip address add 192.0.2.1/24 dev sh-fault
ip link set sh-fault up
folder=/run/systemd/system/flanneld.service.d
mkdir -p "$folder"
{
  printf '[Service]\\nExecStart=\\n'
  sed -n '/^ExecStart=/,/[^\\\\]$/p' /etc/systemd/system/flanneld.service |
    sed 's/--iface=[^ ]*/--iface=192.0.2.1/'
} > "$folder/sh-fault.conf"
systemctl daemon-reload
systemctl restart flanneld
"""
_UNDO = """
set -e
if [ -e /run/systemd/system/flanneld.service.d/sh-fault.conf ]; then
  rm /run/systemd/system/flanneld.service.d/sh-fault.conf
  systemctl daemon-reload
  systemctl restart flanneld
fi
[ ! -e /sys/class/net/sh-fault ] || ip link delete sh-fault
"""

FAULT = Fault(
    name="wrong-interface",
    what="flanneld runs with the --iface of another interface",
    primary="FL-LINK",
    create=on_node(_CREATE),
    undo=on_node(_UNDO),
)
