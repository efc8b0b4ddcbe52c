"""The bridge does not send a packet back through the port that it came from."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, constant, on_node

_SET = """
for port in /sys/class/net/cni0/brif/*; do
  bridge link set dev "${port##*/}" hairpin "$1" || exit 1
done
"""

FAULT = Fault(
    name="hairpin-off",
    what="hairpin mode off on every port of a node's bridge",
    primary="KP-HAIRPIN",
    create=on_node(_SET, constant("off")),
    undo=on_node(_SET, constant("on")),
)
