"""A declared site with three nodes, and facts of a node as plain answers, for the plans of the network."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from inventory.models.cluster import Cluster, KubeProxy, Network, Node, Role
from inventory.models.site import Site, Target
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations.files import Wanted
from tasks.operations.units import Service


def nodes(count: int = 3) -> tuple[Node, ...]:
    return tuple(
        Node(
            name=f"oslo-{number}",
            address=IPv4Address(f"10.60.0.{10 + number}"),
            roles=(Role.CONTROL_PLANE,) if number == 1 else (Role.WORKER,),
        )
        for number in range(1, count + 1)
    )


def site(
    *,
    count: int = 3,
    network: Network | None = None,
    proxy: KubeProxy | None = None,
    pod_cidr: str = "10.244.0.0/16",
    subnet_len: int = 24,
) -> Site:
    cluster = Cluster(
        name="oslo",
        version="1.37.1",
        pod_cidr=IPv4Network(pod_cidr),
        service_cidr=IPv4Network("10.96.0.0/16"),
        subnet_len=subnet_len,
        kubeconfig=Path("/nowhere"),
        network=network or Network(),
        kube_proxy=proxy or KubeProxy(),
        programs=Path("/nowhere"),
        max_pods=10,
    )
    target = Target.model_construct(nodes=nodes(count), cluster=cluster)
    return Site.model_construct(name="test", target=target)


def facts(host: str, *answers: tuple[Asked[Any], str]) -> Facts:
    return Facts(host, {asked.command.render(): answer for asked, answer in answers})


def files_answer(paths: Iterable[str], there: Iterable[Wanted] = ()) -> str:
    """What the files question answers where exactly these files are there."""
    known = {file.path: file for file in there}
    lines = []
    for path in paths:
        file = known.get(path)
        lines.append(f"{path}\tfile\t{file.sha256}\t{file.mode:o}" if file else f"{path}\tmissing\t\t")
    return "\n".join(lines) + "\n"


def unit_answer(unit: str, *, running: bool) -> str:
    state = ("loaded", "active", "enabled") if running else ("not-found", "inactive", "")
    return (
        f"Id={unit}\nLoadState={state[0]}\nActiveState={state[1]}\nSubState=x\nUnitFileState={state[2]}\n"
        "NeedDaemonReload=no\nNRestarts=0\n"
    )


def service_answers(service: Service, questions: tuple[Asked[Any], ...], *, running: bool) -> Any:
    """Answers to a service's two questions: all as wanted, or nothing there."""
    of_files, of_units = questions[:2]
    paths = [file.path for file in (*service.wanted, service.stamp)]
    there = (*service.wanted, service.stamp) if running else ()
    return (
        (of_files, files_answer(paths, there)),
        (of_units, unit_answer(service.unit, running=running)),
    )
