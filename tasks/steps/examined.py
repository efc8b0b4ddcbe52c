"""What a doctor's round looks at: each side of a site, or one cluster, as far as it can be reached."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from inventory.models.cluster import Fabric, Node
from inventory.models.cluster_file import ClusterFile
from inventory.models.site import Side, Site, Workload
from inventory.models.ssh import Ssh
from tasks.checks.asking import ask_hosts
from tasks.drivers.errors import OutsideError
from tasks.drivers.kube import KubeApi
from tasks.drivers.ports import Host, Kube
from tasks.drivers.ssh import SshHost
from tasks.drivers.ssh_way import SshWay
from tasks.facts import interfaces
from tasks.facts.gather import Facts


@dataclass(frozen=True)
class Patient:
    """One cluster: how it is reached, and what is declared of it.

    `fabric` is None where nobody declares it: the cluster's API is asked. `written_later`: its kubeconfig is
    not there yet. `ours`: `prepare` made it, or will. `workload` without namespaces means all but those of
    Kubernetes itself.
    """

    name: str
    kubeconfig: Path | None
    ssh: Ssh | None
    nodes: tuple[Node, ...]
    fabric: Fabric | None
    profile: str
    profiles: Path | None
    workload: Workload
    judges_workloads: bool
    written_later: bool = False
    ours: bool = False


@dataclass(frozen=True)
class Observed:
    """A `tasks.checks.context.Subject`: the nodes that answered, and the networks as declared or read."""

    profile: str
    profiles: Path | None
    target: Side
    workload: Workload


def on_their_interfaces(nodes: tuple[Node, ...], hosts: Mapping[str, Host]) -> tuple[Node, ...]:
    """The nodes whose file names no interface, with the one that has their address; a silent one as it is."""
    asked = interfaces.ask()
    unsaid = {node.name: (asked,) for node in nodes if "interface" not in node.model_fields_set}
    told = ask_hosts(hosts, unsaid)

    def placed(node: Node) -> Node:
        facts = told.get(node.name)
        if not isinstance(facts, Facts):
            return node
        try:
            found = facts.of(asked)
        except OutsideError:
            return node
        having = (
            name
            for name, each in found.items()
            if str(node.address) in (address.partition("/")[0] for address in each.addresses)
        )
        return node.model_copy(update={"interface": next(having, node.interface)})

    return tuple(placed(node) for node in nodes)


def patients(declared: Site | ClusterFile) -> tuple[Patient, ...]:
    """The source and the target of a site, or the one cluster of a file."""
    if isinstance(declared, ClusterFile):
        return (
            Patient(
                declared.name,
                declared.kubeconfig,
                declared.ssh,
                declared.nodes,
                declared.cluster,
                declared.profile,
                declared.profiles,
                Workload(namespaces=declared.namespaces),
                judges_workloads=True,
            ),
        )
    source, target = declared.source, declared.target
    there = target.cluster.kubeconfig.exists()
    common = (declared.profile, declared.profiles, declared.workload)
    return (
        Patient("source", source.kubeconfig, target.ssh, source.nodes, None, *common, judges_workloads=True),
        Patient(
            "target",
            target.cluster.kubeconfig if there else None,
            target.ssh,
            target.nodes,
            target.cluster,
            *common,
            judges_workloads=False,
            written_later=not there,
            ours=True,
        ),
    )


def open_kube(patient: Patient, stack: ExitStack) -> Kube | None:
    """Its API, None where there is no kubeconfig. Raises BadInput for an unusable one."""
    if patient.kubeconfig is None:
        return None
    kube = KubeApi.open(patient.kubeconfig, patient.name)
    stack.callback(kube.close)
    return kube


def open_hosts(patient: Patient, stack: ExitStack) -> Mapping[str, Host]:
    """Its nodes over SSH; nobody is logged in to yet."""
    if patient.ssh is None or not patient.nodes:
        return {}
    way = SshWay(patient.ssh)
    stack.callback(way.close)
    hosts = {node.name: SshHost(node, patient.ssh, way) for node in patient.nodes}
    for host in hosts.values():
        stack.callback(host.close)
    return hosts
