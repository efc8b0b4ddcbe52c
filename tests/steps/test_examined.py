"""What a doctor's round looks at, as far as it is asked of the hosts and the API."""

from __future__ import annotations

import json
from typing import Any

from inventory.models.cluster import Node
from inventory.models.command import Shellable
from inventory.models.site import Workload
from tasks.drivers.errors import HostUnreachable
from tasks.drivers.ports import Output
from tasks.facts import gather, interfaces
from tasks.steps import examination
from tasks.steps.examined import Patient, on_their_interfaces
from tests.networks import stock
from tests.networks.cluster import MemoryKube


class Addressed:
    """A host with two interfaces."""

    def __init__(self, name: str, address: str, *, silent: bool = False) -> None:
        self.name, self.address, self.silent = name, address, silent

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        if self.silent:
            raise HostUnreachable(self.name, "gone")
        rows = [
            {"ifname": name, "mtu": 1500, "addr_info": [{"local": address, "prefixlen": 24}]}
            for name, address in (("lo", "127.0.0.1"), ("ens3", self.address))
        ]
        marker = gather.marker_of((interfaces.ask(),))
        return Output(0, f"\n{marker} begin 0\n{json.dumps(rows)}\n{marker} end 0 0\n", "", 0.0)


def nodes(**more: Any) -> tuple[Node, ...]:
    return tuple(Node(name=f"kube-{n}", address=f"10.60.0.1{n}", **more) for n in (1, 2, 3))


def test_an_interface_that_nobody_named_is_the_one_with_the_address() -> None:
    hosts: dict[str, Any] = {
        "kube-1": Addressed("kube-1", "10.60.0.11"),
        "kube-2": Addressed("kube-2", "10.9.9.9"),
        "kube-3": Addressed("kube-3", "10.60.0.13", silent=True),
    }
    assert [node.interface for node in on_their_interfaces(nodes(), hosts)] == ["ens3", "eth0", "eth0"]
    declared = nodes(interface="bond0")
    assert on_their_interfaces(declared, hosts) == declared


def test_a_cluster_of_somebody_elses_is_judged_by_its_own_words() -> None:
    kube = MemoryKube().put(*stock.objects(backend={"DirectRouting": True}, mode="nftables"))
    hosts: dict[str, Any] = {node.name: Addressed(node.name, str(node.address)) for node in nodes()}
    patient = Patient("x", None, None, nodes(), None, "web", None, Workload(), judges_workloads=False)
    subject = examination._observed(patient, hosts, kube)
    assert subject is not None
    assert subject.target.cluster.kube_proxy.mode == "nftables"
    assert subject.target.cluster.network.direct_routing
    (plane,) = {
        id(context): context
        for check, context in examination._rounds(patient, subject, hosts, kube)
        if check.group == "dataplane"
    }.values()
    assert (plane.ours, plane.without_probes, set(plane.daemons)) == (False, True, {"flanneld", "kube-proxy"})
