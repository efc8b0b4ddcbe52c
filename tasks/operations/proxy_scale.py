"""When kube-proxy's nftables mode is the better one, and what says so. Pure."""

from __future__ import annotations

from inventory.models.cluster import ProxyMode

# In iptables mode a new connection walks a list with a rule for each Service, in nftables mode it asks a map
# once. Kubernetes' own rule of thumb; what both cost is measured by `make bench`.
MANY_SERVICES = 1000


def advice(mode: ProxyMode, services: int) -> str:
    """Why another mode than the declared one is offered for that many Services; empty where none is."""
    if mode is not ProxyMode.IPTABLES or services <= MANY_SERVICES:
        return ""
    walked = "each new connection walks a list with a rule for every one of them"
    return f"{services} Services, more than {MANY_SERVICES}: {walked}"


# The figures: one run of `make bench`, on two cores (runbooks/kube-proxy.md).
COST = (
    "among 5,000 Services a new connection cost 1.27x the processor time of nftables mode (1.55x where it "
    "goes to no Service), and a change of one endpoint took 502 ms instead of 166 ms"
)
NEEDS = "kernel 5.13 or newer; NodePorts answer on the nodes' primary addresses only"
REMEDY = (
    f"{COST}: set target.cluster.kube_proxy.mode: nftables ({NEEDS}; ADM-KERNEL then asks for the kernel)"
)
