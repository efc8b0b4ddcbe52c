"""Clients that share one address and its ports, which come back while the backends hold TIME_WAIT."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, Where, constant, on_node
from rehearsal.matrix.narrow_nat import MASQUERADE, REMOVE
from rehearsal.matrix.settings import setting
from tasks.checks.dataplane.service_paths import cluster_address

_FORGET, _KEEP = setting("net.netfilter.nf_conntrack_tcp_timeout_time_wait", "1")
_NARROW = on_node(
    MASQUERADE, constant("tcp"), lambda where: cluster_address(where.context), constant("40000-40255")
)
_WIDE = on_node(REMOVE)


def _create(where: Where) -> None:
    _FORGET(where)
    _NARROW(where)


def _undo(where: Where) -> None:
    _WIDE(where)
    _KEEP(where)


FAULT = Fault(
    name="snat-collision",
    what="a node's connections are masqueraded to 256 ports, each forgotten after a second",
    primary="CT-PAWS",
    create=_create,
    undo=_undo,
)
