"""What flanneld wrote of its subnet is gone, as after a cleaned /run: nobody notices at once."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, constant, on_node
from tasks.facts.flannel import SUBNET_FILE

FAULT = Fault(
    name="subnet-lost",
    what="flannel's subnet.env gone from a node",
    primary="FL-SUBNET",
    create=on_node('mkdir -p /run/sh-fault && mv "$1" /run/sh-fault/subnet.env', constant(SUBNET_FILE)),
    undo=on_node(
        '[ ! -e /run/sh-fault/subnet.env ] || mv /run/sh-fault/subnet.env "$1"', constant(SUBNET_FILE)
    ),
)
