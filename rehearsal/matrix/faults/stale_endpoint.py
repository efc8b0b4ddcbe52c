"""A node's rules still lead to an endpoint that its Service has no more, and kube-proxy believes them right.

The rule is put in by hand: a kube-proxy that is held up instead would be seen by its health first.
"""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, Where, on_node
from tasks.checks.dataplane.service_paths import cluster_address
from tasks.drivers.errors import ServiceFailed
from tasks.facts.flannel import parse_subnet, subnet_command
from tasks.facts.probe import PORT

_CHAIN = "KUBE-SEP-SHFAULT"
# $1 the Service's address, $2 the endpoint. A kube-proxy that has just started writes all its rules again,
# and takes this one away: it must have stood for some seconds.
_CREATE = rf"""
service=$(iptables-save -t nat |
  sed -n "s/^-A KUBE-SERVICES -d $1\/32 .*-j \(KUBE-SVC-[A-Z0-9]*\)$/\1/p" | head -n 1)
[ -n "$service" ] || {{ echo "kube-proxy has no rules for $1 here" >&2; exit 1; }}
leads="$service -m statistic --mode random --probability 0.5 -j {_CHAIN}"
put() {{
  iptables -w -t nat -N {_CHAIN} 2> /dev/null
  iptables -w -t nat -F {_CHAIN} &&
  iptables -w -t nat -A {_CHAIN} -p tcp -j DNAT --to-destination "$1" &&
  {{ iptables -w -t nat -C $leads 2> /dev/null || iptables -w -t nat -I $leads; }}
}}
stands() {{
  iptables -w -t nat -C $leads 2> /dev/null &&
  iptables -w -t nat -C {_CHAIN} -p tcp -j DNAT --to-destination "$1" 2> /dev/null
}}
stood=0
for look in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  if stands "$2"; then stood=$((stood + 1)); else stood=0; put "$2" || exit 1; fi
  [ "$stood" -lt 4 ] || exit 0
  sleep 1
done
echo "kube-proxy takes the rule away again and again" >&2; exit 1
"""
_UNDO = rf"""
iptables -w -t nat -S {_CHAIN} > /dev/null 2>&1 || exit 0
for service in $(iptables-save -t nat | sed -n 's/^-A \(KUBE-SVC-[A-Z0-9]*\) .*-j {_CHAIN}$/\1/p'); do
  iptables -w -t nat -D "$service" -m statistic --mode random --probability 0.5 -j {_CHAIN} || exit 1
done
iptables -w -t nat -F {_CHAIN} && iptables -w -t nat -X {_CHAIN}
"""


def _nobody(where: Where) -> str:
    """An address of the node's subnet that no pod has: they are given from below."""
    env = parse_subnet(where.host.check(subnet_command()))
    if env is None:
        raise ServiceFailed(where.node.name, "flanneld has no subnet")
    return f"{env.subnet.network.broadcast_address - 1}:{PORT}"


FAULT = Fault(
    name="stale-endpoint",
    what="a node's rules lead half of a Service's connections to an endpoint that it has not",
    primary="KP-ENDPOINTS",
    create=on_node(_CREATE, lambda where: cluster_address(where.context), _nobody),
    undo=on_node(_UNDO),
)
