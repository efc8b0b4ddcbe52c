"""A node of the bed: a kube-proxy, a client pod and backends, each in a namespace of its own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from benchmarks.service_bed import plane
from benchmarks.service_bed.process import Process, run, start
from benchmarks.service_bed.raised_limits import answer_success
from inventory.models.cluster import Cluster, KubeProxy, Node, ProxyMode
from tasks.operations import kube_proxy

BACKENDS = 3
SERVICES = 8  # all on the same backends: in iptables mode a Service's place among the rules is chance
PORT = 10411
ANSWERS_WITHIN_S = 60.0
_USERSPACE = "userspace"
# What the site file would declare; userspace mode is a flag of its own, of an old release.
_DECLARED = {
    _USERSPACE: KubeProxy(),
    "iptables": KubeProxy(),
    "nftables": KubeProxy(mode=ProxyMode.NFTABLES),
    "masquerade": KubeProxy(masquerade_all=True),
}


@dataclass
class ProxyNode:
    """A node of one mode; `number` is in its addresses."""

    mode: str
    number: int
    folder: Path
    programs: Path
    proxy: Process | None = None
    backends: list[Process] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The node's name, and its namespace's."""
        return f"shb-{self.mode}"

    @property
    def client(self) -> str:
        """The client pod's namespace."""
        return f"{self.name}-c"

    @property
    def pods(self) -> list[str]:
        """The backends' addresses."""
        return [f"10.200.{self.number}.{10 + each}" for each in range(BACKENDS)]

    @property
    def pod_url(self) -> str:
        """A backend by its own address, through no Service."""
        return f"http://{self.pods[0]}:{PORT}/"

    def url(self, service: int) -> str:
        """One of its Services, from 0 to `SERVICES` - 1."""
        return f"http://10.96.{self.number}.{10 + service % SERVICES}/"

    def probe(self, netns: str, *words: str) -> dict[str, object]:
        """What the probe program answers in a namespace."""
        answer: dict[str, object] = json.loads(run(netns, str(self.programs / "probe"), *words))
        return answer

    def start_proxy(self) -> None:
        """Start kube-proxy, or start it again, with the flags that the network stage gives it."""
        self.end_proxy()
        old = self.mode == _USERSPACE
        cluster = Cluster(
            name="bed",
            version="1.37.1",
            pod_cidr=IPv4Network(f"10.200.{self.number}.0/24"),
            service_cidr=IPv4Network(plane.SERVICES),
            subnet_len=28,
            max_pods=10,
            kubeconfig=self.folder / "kubeconfig",
            programs=self.programs,
            kube_proxy=_DECLARED[self.mode],
        )
        declared = Node(name=self.name, address=IPv4Address(f"10.199.0.{10 + self.number}"))
        program = self.programs / "kube-proxy-1.25" if old else self.folder / "kube-proxy"
        argv = [str(program), *kube_proxy.flags(declared, cluster, sets_conntrack=False)]
        argv += [f"--kubeconfig={cluster.kubeconfig}", *(["--proxy-mode=userspace"] if old else [])]
        self.proxy = start(self.name, argv, self.folder / f"{self.name}.log", answer_success)

    def end_proxy(self) -> None:
        """End kube-proxy; its rules stay."""
        if self.proxy:
            self.proxy.end()
            self.proxy = None

    def start_backend(self, number: int) -> Process:
        """Start the program of the backend with this number (from 0)."""
        netns = f"{self.name}-{number + 1}"
        argv = [str(self.programs / "probe"), "serve", "-listen", f":{PORT}"]
        return start(netns, argv, self.folder / f"{netns}.log")

    def await_answers(self, service: int = 0) -> float:
        """Wait until a Service answers; the seconds it took. Raises TimeoutError."""
        began = time.monotonic()
        while self.probe(self.client, "get", "-timeout", "1", self.url(service))["status"] != 200:
            if time.monotonic() - began > ANSWERS_WITHIN_S:
                tail = (self.folder / f"{self.name}.log").read_text()[-600:]
                raise TimeoutError(f"{self.url(service)} does not answer in mode {self.mode}: {tail}")
            time.sleep(0.1)
        return time.monotonic() - began

    def cpu_us(self) -> int:
        """Of kube-proxy and the backends, so far."""
        return sum(each.cpu_us() for each in (*self.backends, *([self.proxy] if self.proxy else [])))
