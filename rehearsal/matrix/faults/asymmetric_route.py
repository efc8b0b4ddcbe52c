"""What comes in through the overlay would go back by another way, and the overlay's link is strict.

`all` must be 0 for it: the kernel takes the higher of `all` and the link's own value, and 2 is loose.
"""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, Where, constant, on_node
from rehearsal.matrix.settings import setting
from tasks.facts.flannel import parse_subnet, subnet_command

_STRICT, _AS_BEFORE = setting("net.ipv4.conf.all.rp_filter", "0", "net.ipv4.conf.flannel/1.rp_filter", "1")
_TABLE = "4811"
_LEAD_ASTRAY = """
ip route replace "$1" via "$2" dev "$3" table "$4" && ip rule add to "$1" lookup "$4" priority 100
"""
_LEAD_BACK = """
while ip rule del priority 100 2> /dev/null; do :; done
[ -z "$(ip route show table all | grep "table $1 ")" ] || ip route flush table "$1"
"""


def _subnet_of_peer(where: Where) -> str:
    env = parse_subnet(where.context.hosts[where.peer.name].check(subnet_command()))
    return str(env.subnet.network) if env else ""


_ROUTE = on_node(
    _LEAD_ASTRAY,
    _subnet_of_peer,
    lambda where: str(where.peer.address),
    lambda where: where.node.interface,
    constant(_TABLE),
)
_NO_ROUTE = on_node(_LEAD_BACK, constant(_TABLE))


def _create(where: Where) -> None:
    _STRICT(where)
    _ROUTE(where)


def _undo(where: Where) -> None:
    _NO_ROUTE(where)
    _AS_BEFORE(where)


FAULT = Fault(
    name="asymmetric-route",
    what="a rule leads the answers to one peer's pods past the overlay, and flannel.1 is strict",
    primary="DP-RPF-DROPS",
    create=_create,
    undo=_undo,
)
