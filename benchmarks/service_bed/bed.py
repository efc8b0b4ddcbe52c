"""The whole bed: raised, with every Service answering, and taken down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.service_bed import plane
from benchmarks.service_bed.node import PORT, SERVICES, ProxyNode
from benchmarks.service_bed.process import Process
from rehearsal.netns import NAMED, ip, sysctl


@contextmanager
def standing(folder: Path, programs: Path, modes: Sequence[str]) -> Iterator[list[ProxyNode]]:
    """A node of each mode, with its Services answering. Raises TimeoutError where they do not."""
    remove_namespaces()
    nodes = [ProxyNode(mode, number, folder, programs) for number, mode in enumerate(modes, 1)]
    processes: list[Process] = []
    try:
        plane.raise_plane(folder, programs, processes)
        api = plane.Api()
        for node in nodes:
            _raise_namespaces(node)
            _register(api, node)
            node.start_proxy()
        api.close()
        for node in nodes:
            for service in range(SERVICES):
                node.await_answers(service)
        yield nodes
    finally:
        proxies = [node.proxy for node in nodes if node.proxy]
        for process in [*proxies, *(each for node in nodes for each in node.backends), *reversed(processes)]:
            process.end()
        remove_namespaces()


def remove_namespaces() -> None:
    """Those of an earlier run as well; its programs ended with it."""
    for path in sorted(NAMED.glob("shb-*")) if NAMED.exists() else ():
        ip("netns", "del", path.name)


def _raise_namespaces(node: ProxyNode) -> None:
    ip("netns", "add", node.name)
    _join(node.name, node.name, plane.NETNS)
    ip(netns=plane.NETNS, batch=f"link set {node.name} master {plane.BRIDGE} up")
    lines = ["link set lo up", f"addr add 10.199.0.{10 + node.number}/24 dev eth0", "link set eth0 up"]
    ip(netns=node.name, batch="\n".join([*lines, f"route add default via {plane.ADDRESS}"]))
    sysctl(node.name, "net/ipv4/ip_forward", "1")
    # Thousands of connections a second are made here: those that are over leave the table soon.
    sysctl(node.name, "net/netfilter/nf_conntrack_tcp_timeout_time_wait", "5")
    gateway = f"10.200.{node.number}.1"
    for each, address in enumerate([f"10.200.{node.number}.2", *node.pods]):
        netns = node.client if each == 0 else f"{node.name}-{each}"
        ip("netns", "add", netns)
        _join(netns, f"pod{each}", node.name)
        lines = ["link set lo up", f"addr add {address}/32 dev eth0", "link set eth0 up"]
        lines += [f"route add {gateway} dev eth0 scope link", f"route add default via {gateway}"]
        ip(netns=netns, batch="\n".join(lines))
        lines = [f"addr add {gateway}/32 dev pod{each}", f"link set pod{each} up"]
        ip(netns=node.name, batch="\n".join([*lines, f"route add {address} dev pod{each} scope link"]))
        if each:
            node.backends.append(node.start_backend(each - 1))
    sysctl(node.client, "net/ipv4/ip_local_port_range", "1024 65535")
    sysctl(node.client, "net/ipv4/tcp_tw_reuse", "1")


def _join(netns: str, name: str, other: str) -> None:
    """A link: `eth0` in the one namespace, `name` in the other."""
    ip(*f"link add eth0 netns {netns} type veth peer name {name} netns {other}".split())


def _register(api: plane.Api, node: ProxyNode) -> None:
    api.ask("POST", "/api/v1/nodes", {"metadata": {"name": node.name}})
    status = {"status": {"addresses": [{"type": "InternalIP", "address": f"10.199.0.{10 + node.number}"}]}}
    merge = "application/merge-patch+json"
    api.ask("PATCH", f"/api/v1/nodes/{node.name}/status", status, merge)
    for number in range(SERVICES):
        name = f"{node.mode}-{number}"
        address = node.url(number).removeprefix("http://").rstrip("/")
        service, endpoints = plane.service_and_slice(name, address, node.pods, PORT)
        api.ask("POST", "/api/v1/namespaces/default/services", service)
        api.ask("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", endpoints)
        # kube-proxy in userspace mode reads Endpoints.
        subset = {"addresses": [{"ip": pod} for pod in node.pods], "ports": [{"port": PORT}]}
        old = {"metadata": {"name": name}, "subsets": [subset]}
        api.ask("POST", "/api/v1/namespaces/default/endpoints", old)
