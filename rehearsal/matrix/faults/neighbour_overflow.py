"""A neighbour table that holds fewer entries than the node has peers and pods."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, Where, on_node
from rehearsal.matrix.kernel_log import FORGET, OWN_KERNEL, WILL_SAY
from rehearsal.matrix.pinned import PIN_UNDERLAY, UNPIN_UNDERLAY
from rehearsal.matrix.settings import setting

_KEYS = [f"net.ipv4.neigh.default.gc_thresh{number}" for number in (1, 2, 3)]
_SMALL, _AS_BEFORE = setting(_KEYS[0], "1", _KEYS[1], "2", _KEYS[2], "3")
_SAYS, _FORGET = on_node(WILL_SAY), on_node(FORGET)


def _create(where: Where) -> None:
    _SAYS(where)
    PIN_UNDERLAY(where)
    _SMALL(where)


def _undo(where: Where) -> None:
    _AS_BEFORE(where)
    UNPIN_UNDERLAY(where)
    _FORGET(where)


FAULT = Fault(
    name="neighbour-overflow",
    what="net.ipv4.neigh.default.gc_thresh1..3 = 1, 2, 3 on a node",
    primary="DP-NEIGH",
    create=_create,
    undo=_undo,
    needs=OWN_KERNEL,
)
