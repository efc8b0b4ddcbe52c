"""Two nodes with a pod each on one layer 2, in network namespaces, and any network of flannel's between them.

The real flanneld, BIRD and etcd with the configuration that this project writes. No cluster is needed for
what is measured here: the way from pod to pod.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from inventory.models.cluster import BgpPeer, Cluster, Network, Node
from rehearsal.netns import ip, sysctl
from rehearsal.services import router
from tasks.facts.flannel import CONFIG_KEY, parse_subnet
from tasks.operations import bird, flannel

UNDERLAY, PODS = IPv4Network("10.77.0.0/24"), IPv4Network("10.78.0.0/16")
GATEWAY = "10.77.0.1"
ROUTER = "nb-router"
NODES = ("nb-1", "nb-2")
PORT = 10411
_WITHIN_S = 20.0


@dataclass(frozen=True)
class Pod:
    """A pod of the bed: its namespace and its address."""

    netns: str
    address: str

    @property
    def url(self) -> str:
        """Where its program answers."""
        return f"http://{self.address}:{PORT}/"


def cluster(network: Network) -> Cluster:
    """A cluster with this network, as a site would declare it."""
    return Cluster.model_validate(
        {
            "name": "bench",
            "version": "1.37.1",
            "pod_cidr": str(PODS),
            "service_cidr": "10.96.0.0/16",
            "kubeconfig": "/nowhere",
            "programs": "/nowhere",
            "network": network.model_dump(),
        }
    )


class Bed:
    """Nodes and pods that stand; `raise_network` lays a network between them, again and again."""

    def __init__(self, stack: ExitStack, programs: Path, folder: Path) -> None:
        self._stack, self._programs, self._folder = stack, programs, folder
        self._running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self._subnets = {node: (f"10.78.{number}.1/24", 1500) for number, node in enumerate(NODES, 1)}
        for name in (ROUTER, *NODES, *(f"{node}-pod" for node in NODES)):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "delete", name)
            ip("link", "set", "lo", "up", netns=name)
            sysctl(name, "net/ipv4/ip_forward", "1")
        ip(netns=ROUTER, batch=f"link add br0 type bridge\naddr add {GATEWAY}/24 dev br0\nlink set br0 up")
        for number, node in enumerate(NODES, 1):
            _wire(ROUTER, "br0", node, f"{underlay(number)}/24")
            ip("route", "add", "default", "via", GATEWAY, netns=node)

    def raise_plain(self) -> None:
        """A plain route from node to node, and nothing else."""
        for number, node in enumerate(NODES, 1):
            other = 3 - number
            ip("route", "add", f"10.78.{other}.0/24", "via", underlay(other), netns=node)

    def raise_network(self, network: Network, after_each: Callable[[], None] = lambda: None) -> None:
        """The network's configuration, then flanneld (and BIRD) on one node after the other."""
        made, url = cluster(network), f"http://{GATEWAY}:2379"
        listen = [f"--listen-client-urls={url}", f"--advertise-client-urls={url}"]
        if (ROUTER, "etcd") not in self._running:
            self._start(ROUTER, [self._programs / "etcd", f"--data-dir={self._folder / 'etcd'}", *listen])
        put = inside(ROUTER, [self._programs / "etcdctl", f"--endpoints={url}", "put", CONFIG_KEY])
        text = json.dumps(flannel.network_config(made)).encode()
        _until(
            lambda: not subprocess.run(put, input=text, capture_output=True, check=False).returncode,
            "etcd does not answer",
        )
        if network.kind == "bgp":
            self._route_for(made)
        for number, node in enumerate(NODES, 1):
            self._flanneld(node, underlay(number), url)
            if network.kind == "bgp":
                self._bird(made, node, underlay(number))
            after_each()

    def raise_pods(self) -> tuple[Pod, Pod]:
        """A pod on each node, as soon as they reach each other."""
        first, second = (_pod(node, *self._subnets[node]) for node in NODES)
        for pod in (first, second):
            self._start(pod.netns, [self._programs / "probe", "serve", "-listen", f":{PORT}"])
        _until(lambda: self._reaches(first, second), "pods do not reach each other")
        return first, second

    def stop(self, netns: str, program: str) -> None:
        """End a program of a node, and wait for its end."""
        process = self._running.pop((netns, program))
        process.terminate()
        process.wait()

    def runs(self, netns: str, program: str) -> bool:
        """Whether a node's program was started and not ended since."""
        return (netns, program) in self._running

    def ask(self, pod: Pod, *words: str) -> dict[str, Any]:
        """What the probe program answers in a pod."""
        argv = inside(pod.netns, [self._programs / "probe", *words])
        answer: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
        return answer

    def _start(self, netns: str, argv: Sequence[str | Path]) -> None:
        program = Path(argv[0]).name
        if (netns, program) in self._running:
            self.stop(netns, program)
        log = self._stack.enter_context((self._folder / f"{netns}-{program}.log").open("a"))
        process = subprocess.Popen(inside(netns, argv), stdout=log, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        self._running[netns, program] = process

    def _flanneld(self, node: str, own: str, etcd: str) -> None:
        env = self._folder / f"{node}.env"
        env.unlink(missing_ok=True)
        flags = [f"--etcd-endpoints={etcd}", "--etcd-prefix=/coreos.com/network", f"--subnet-file={env}"]
        self._start(node, [self._programs / "flanneld", *flags, f"--iface={own}", f"--public-ip={own}"])
        _until(lambda: env.exists() and env.stat().st_size > 0, "flanneld has no subnet")
        subnet = parse_subnet(env.read_text())
        if subnet is None:
            raise RuntimeError(f"{env} is empty")
        self._subnets[node] = (str(subnet.subnet), subnet.mtu)

    def _route_for(self, made: Cluster) -> None:
        (peer,) = made.network.bgp_peers
        text = router.config(
            address=str(peer.address),
            own=peer.as_number,
            nodes=UNDERLAY,
            theirs=made.network.as_number,
            pods=PODS,
        )
        config = self._folder / "router.conf"
        config.write_text(text)
        if not self.runs(ROUTER, "bird"):
            self._start(ROUTER, ["bird", "-f", "-c", config, "-s", self._folder / "router.ctl"])

    def _bird(self, made: Cluster, name: str, address: str) -> None:
        own, config = self._folder / f"{name}-own.conf", self._folder / f"{name}.conf"
        network = IPv4Interface(self._subnets[name][0]).network
        own.write_text(f"protocol static own {{ ipv4; route {network} blackhole; }}\n")
        config.write_text(bird.config(Node(name=name, address=IPv4Address(address)), made, own=str(own)))
        self._start(name, ["bird", "-f", "-R", "-c", config, "-s", self._folder / f"{name}.ctl"])

    def restart_bird(self, made: Cluster, name: str, address: str) -> None:
        """As the unit on a node does it."""
        stop: list[str | Path] = ["birdc", "-s", self._folder / f"{name}.ctl", "graceful", "restart"]
        subprocess.run(inside(name, stop), capture_output=True, check=True)
        self._running.pop((name, "bird")).wait()
        self._bird(made, name, address)

    def _reaches(self, asking: Pod, asked: Pod) -> bool:
        status: int = self.ask(asking, "get", "-timeout", "1", f"{asked.url}healthz")["status"]
        return status == 200


@contextmanager
def standing(programs: Path, folder: Path) -> Iterator[Bed]:
    """The bed for the time of the block; everything of it is gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield Bed(stack, programs, folder)


def inside(netns: str, argv: Sequence[str | Path]) -> list[str]:
    """The command in a namespace."""
    return ["nsenter", f"--net=/run/netns/{netns}", *map(str, argv)]


def underlay(number: int) -> str:
    """The address of a node, counted from 1."""
    return f"10.77.0.{10 + number}"


def _pod(node: str, gateway: str, mtu: int) -> Pod:
    """A pod behind the node's bridge, as the CNI plugin makes it."""
    ip(netns=node, batch=f"link add cni0 type bridge\naddr add {gateway} dev cni0\nlink set cni0 up")
    address = IPv4Interface(gateway)
    pod = f"{address.ip + 1}"
    _wire(node, "cni0", f"{node}-pod", f"{pod}/{address.network.prefixlen}", mtu)
    ip("route", "add", "default", "via", str(address.ip), netns=f"{node}-pod")
    return Pod(f"{node}-pod", pod)


def _wire(outer: str, bridge: str, inner: str, address: str, mtu: int = 1500) -> None:
    """A veth pair: a port of the bridge outside, eth0 with the address inside."""
    port = f"v{inner.removeprefix('nb-')}"
    both = ("mtu", str(mtu))
    ip(
        *("link", "add", "name", port, *both, "netns", outer, "type", "veth"),
        *("peer", "name", "eth0", *both, "netns", inner),
    )
    ip(netns=outer, batch=f"link set {port} master {bridge}\nlink set {port} up")
    ip(netns=inner, batch=f"addr add {address} dev eth0\nlink set eth0 up")


def _until(ready: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + _WITHIN_S
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"{otherwise} in {_WITHIN_S:.0f} s")
        time.sleep(0.2)


def bgp() -> Network:
    """BGP with the bed's router."""
    return Network(kind="bgp", bgp_peers=(BgpPeer(address=IPv4Address(GATEWAY), as_number=64513),))
