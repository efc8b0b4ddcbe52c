"""What an API alone shows of nodes: userspace mode, a shared kernel, nodes that are not well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.cluster import conntrack, node_state, proxy_mode, shared_kernel
from tasks.checks.context import Cluster
from tasks.checks.registry import Check, in_group, observe
from tasks.drivers.errors import Denied, OutsideError, ServiceFailed
from tests.networks.cluster import MemoryKube, StillClock

CONFIG = {"kind": "ConfigMap", "metadata": {"name": "kube-proxy", "namespace": "kube-system"}}


def node(name: str, **status: Any) -> dict[str, Any]:
    info = {"bootID": f"boot-{name}", "systemUUID": f"uuid-{name}", "kernelVersion": "6.1.0-18-amd64"}
    ready = [{"type": "Ready", "status": "True"}, {"type": "MemoryPressure", "status": "False"}]
    return {
        "kind": "Node",
        "metadata": {"name": name},
        "status": {
            "nodeInfo": info | status.get("info", {}),
            "conditions": status.get("conditions", ready),
            "capacity": status.get("capacity", {"cpu": "2", "ephemeral-storage": "50Gi"}),
        },
    }


def summary(tasks: int) -> str:
    return json.dumps({"node": {"rlimit": {"curproc": tasks}}})


def cadvisor(used: int, inodes: int, writes: int = 50_000, size: int = 50 << 30) -> str:
    """As cAdvisor writes it, with a partition and a container beside the root's disk."""
    values = {
        "limit_bytes": size, "usage_bytes": used, "inodes_total": 3_000_000,
        "inodes_free": 3_000_000 - inodes, "reads_total": 20_000, "writes_total": writes,
    }  # fmt: skip
    lines = ["# TYPE container_fs_usage_bytes gauge"]
    for name, value in values.items():
        for device, id_, amount in (
            ("/dev/vda", "/", value),
            ("/dev/vda15", "/", 7),
            ("/dev/vda", "/pod", 9),
        ):
            labels = f'container="",device="/dev/{device}",id="{id_}",image="",name="",pod=""'
            lines.append(f"container_fs_{name}{{{labels}}} {float(amount)!r} 1795450874201")
    return "\n".join(lines) + "\n"


class Api(MemoryKube):
    """A cluster whose nodes answer GETs from a table: (node, path) -> text or error."""

    def __init__(self, answers: dict[tuple[str, str], str | OutsideError]) -> None:
        super().__init__()
        self.answers = answers

    def node_get(self, node: str, port: int, path: str) -> str:
        answer = self.answers.get((node, path), ServiceFailed(node, f"port {port}: connection refused"))
        if isinstance(answer, OutsideError):
            raise answer
        return answer


def found(check: Check, kube: Api) -> dict[str, Finding]:
    findings = observe(check, Cluster(kube, StillClock()))
    assert all(f.verdict is Verdict.PASS or f.remedy for f in findings)
    return {finding.subject: finding for finding in findings}


def test_they_are_registered() -> None:
    assert {check.code for check in in_group("cluster")} >= {
        "CLU-PROXY",
        "CLU-KERNEL",
        "CLU-NODE",
        "CLU-CONNTRACK",
    }


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("iptables", Verdict.PASS),
        ("nftables\n", Verdict.PASS),
        ("ipvs", Verdict.WARN),
        ("userspace", Verdict.FAIL),
        ("<html>", Verdict.NODATA),
    ],
)
def test_kube_proxys_own_word_is_judged(said: str, verdict: Verdict) -> None:
    kube = Api({("n1", "proxyMode"): said})
    kube.put(node("n1"))
    finding = found(proxy_mode.CHECK, kube)["n1"]
    assert finding.verdict is verdict
    assert finding.evidence[0].source.endswith("/nodes/n1:10249/proxy/proxyMode")


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [("userspace", Verdict.FAIL), ("", Verdict.INCONCLUSIVE), ("ipvs", Verdict.INCONCLUSIVE)],
)
def test_a_configuration_proves_only_a_bad_mode(mode: str, verdict: Verdict) -> None:
    kube = Api({})
    kube.put(node("n1"), CONFIG | {"data": {"config.conf": f"mode: '{mode}'\n"}})
    finding = found(proxy_mode.CHECK, kube)["n1"]
    assert (finding.verdict, "was not asked" in finding.observed) == (verdict, True)


def test_a_proxy_that_nobody_can_ask_is_no_data() -> None:
    kube = Api({})
    kube.put(node("n1"))
    assert found(proxy_mode.CHECK, kube)["n1"].verdict is Verdict.NODATA


RECORDED = Path(__file__).parents[2] / "data" / "cluster"


def container(name: str, release: str = "v1.37.1") -> tuple[dict[str, Any], str]:
    """A node of the rehearsal's source: what its kubelet said of it (recorded), and its Node object."""
    page = (RECORDED / f"cadvisor.{name}.nspawn.txt").read_text()
    capacity = {"cpu": "2", "memory": "24684084Ki", "pods": "110"}
    return node(name, capacity=capacity, info={"kubeletVersion": release}), page


def test_containers_show_by_missing_threads_and_an_uncounted_disk() -> None:
    """Where kubelet's summary fails and its disk has no name, as on a machine with cgroup version 1."""
    nodes, pages = zip(*(container(name) for name in ("t-aws-1", "t-aws-2")), strict=True)
    kube = Api(
        {
            (each["metadata"]["name"], "metrics/cadvisor"): page
            for each, page in zip(nodes, pages, strict=True)
        }
    )
    kube.put(*nodes)
    two = found(shared_kernel.CHECK, kube)
    assert {finding.verdict for finding in two.values()} == {Verdict.FAIL}
    assert "its root cgroup holds 16 processes" in two["t-aws-1"].observed
    assert "told to count no disk" in two["t-aws-1"].observed


def test_a_kubelet_older_than_the_counting_of_disks_gives_one_sign_only() -> None:
    old, page = container("t-aws-1", release="v1.7.16")
    kube = Api({("t-aws-1", "metrics/cadvisor"): page})
    kube.put(old)
    assert found(shared_kernel.CHECK, kube)["t-aws-1"].verdict is Verdict.WARN


def test_a_kernels_threads_are_no_sign() -> None:
    threads = (
        'container_processes{container="",id="/",image="",name="",namespace="",pod=""} 89 1795465343427\n'
    )
    assert kernels({"a": (summary(300), DISK + threads)})["a"].verdict is Verdict.PASS


def test_a_kubelet_in_a_user_namespace_is_certain() -> None:
    kube = Api({})
    kube.put(node("a", info={"runningInUserNamespace": True}))
    assert found(shared_kernel.CHECK, kube)["a"].verdict is Verdict.FAIL


def kernels(pages: dict[str, tuple[Any, Any]], **info: dict[str, str]) -> dict[str, Finding]:
    answers = {}
    for name, (of_tasks, of_disk) in pages.items():
        answers |= {(name, "stats/summary"): of_tasks, (name, "metrics/cadvisor"): of_disk}
    kube = Api(answers)
    kube.put(*(node(name, info=info.get(name, {})) for name in pages))
    return found(shared_kernel.CHECK, kube)


NOTHING = ServiceFailed("n1", "500: failed to get rootFs stats")
DISK = cadvisor(10_000_000, 90_000)
OTHER_DISK = cadvisor(30_000_000, 70_000, writes=80_000)


def test_nodes_of_their_own_pass() -> None:
    two = kernels({"a": (summary(300), DISK), "b": (summary(420), OTHER_DISK)})
    assert {finding.verdict for finding in two.values()} == {Verdict.PASS}


def test_a_shared_kernel_shows_by_several_signs() -> None:
    near = cadvisor(10_001_000, 90_004, writes=50_300)
    two = kernels({"a": (summary(1200), DISK), "b": (summary(1212), near)})
    assert {finding.verdict for finding in two.values()} == {Verdict.FAIL}
    for sign in (
        "its kernel counts 1200 tasks, b's 1212",
        "its disk is as large and as full as b's",
        "its disk has done 20000 reads and 50000 writes, as b's has",
    ):
        assert sign in two["a"].observed


def test_a_kubelet_without_a_summary_shows_it_by_its_disk() -> None:
    two = kernels({"a": (NOTHING, DISK), "b": (NOTHING, DISK)})
    assert {finding.verdict for finding in two.values()} == {Verdict.FAIL}


@pytest.mark.parametrize(
    "other",
    [
        (summary(300), OTHER_DISK),  # as many tasks by chance
        (summary(900), cadvisor(10_000_000, 90_000, writes=80_000)),  # the same image, another history
    ],
)
def test_one_sign_is_only_shown(other: tuple[str, str]) -> None:
    assert {f.verdict for f in kernels({"a": (summary(300), DISK), "b": other}).values()} == {Verdict.WARN}


def test_equal_ids_are_two_signs() -> None:
    same = {"bootID": "x", "systemUUID": "y"}
    two = kernels({"a": (summary(300), DISK), "b": (summary(900), OTHER_DISK)}, a=same, b=same)
    assert {finding.verdict for finding in two.values()} == {Verdict.FAIL}


@pytest.mark.parametrize("kernel", ["5.4.0-3-pve", "2.6.32-042stab145.3", "3.10.0-1160.vz7"])
def test_a_container_hosts_kernel_is_certain(kernel: str) -> None:
    only = kernels({"a": (summary(300), DISK)}, a={"kernelVersion": kernel})
    assert only["a"].verdict is Verdict.FAIL


@pytest.mark.parametrize("answer", [Denied("a", "nodes/proxy is forbidden"), "{}", "no JSON"])
def test_a_kubelet_that_tells_nothing_is_no_data(answer: str | OutsideError) -> None:
    assert kernels({"a": (answer, answer)})["a"].verdict is Verdict.NODATA


@pytest.mark.parametrize(
    ("conditions", "verdict"),
    [
        ([{"type": "Ready", "status": "True"}], Verdict.PASS),
        ([{"type": "Ready", "status": "Unknown", "message": "kubelet stopped posting"}], Verdict.FAIL),
        ([{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}], Verdict.FAIL),
        ([], Verdict.FAIL),
    ],
)
def test_nodes_that_are_not_well(conditions: list[dict[str, str]], verdict: Verdict) -> None:
    kube = Api({})
    kube.put(node("n1", conditions=conditions))
    assert found(node_state.CHECK, kube)["n1"].verdict is verdict


PROXY = {"maxPerCore": 32768, "min": 131072, "tcpEstablishedTimeout": "24h0m0s"}


@pytest.mark.parametrize(
    ("document", "verdict", "told"),
    [
        (
            {"kubeproxy.config.k8s.io": {"Conntrack": {"MaxPerCore": 32768, "Min": 131072}}},
            Verdict.PASS,
            "max(32768",
        ),
        (
            {"kubeproxy.config.k8s.io": {"Linux": {"Conntrack": {"MaxPerCore": 65536, "Min": None}}}},
            Verdict.PASS,
            "max(65536",
        ),
        ({"kubeproxy.config.k8s.io": {"conntrack": PROXY}}, Verdict.PASS, "131072)"),
        ({"kubeproxy.config.k8s.io": {"conntrack": PROXY | {"min": 1024}}}, Verdict.WARN, "1024)"),
        (
            {"kubeproxy.config.k8s.io": {"conntrack": PROXY | {"maxPerCore": 0}}},
            Verdict.WARN,
            "leave nf_conntrack_max",
        ),
        ({"kubeproxy.config.k8s.io": {}}, Verdict.WARN, "not seen"),
        (None, Verdict.WARN, "not seen: kube-proxy's metrics port does not answer"),
    ],
)
def test_connection_tracking_is_judged_by_what_kube_proxy_is_told(
    document: dict[str, Any] | None, verdict: Verdict, told: str
) -> None:
    kube = Api({} if document is None else {("n1", "configz"): json.dumps(document)})
    kube.put(node("n1"))
    finding = found(conntrack.CHECK, kube)["n1"]
    assert (finding.verdict, told in finding.observed) == (verdict, True)
    if verdict is Verdict.WARN and "1024" not in told:
        assert "sysctl net.netfilter.nf_conntrack_max" in finding.remedy


def test_a_page_that_is_no_json_is_not_seen() -> None:
    kube = Api({("n1", "configz"): "<html>"})
    kube.put(node("n1"))
    assert found(conntrack.CHECK, kube)["n1"].verdict is Verdict.WARN
