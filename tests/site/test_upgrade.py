"""An upgrade to its end, under load: `make test-upgrade`, left out of every other run for its minutes.

Two nodes, one of them the control plane. The version before is 1.37's own source under the name of 1.36: the
way of kubeadm, drain, programs and kubelet is real, whether two releases get on with each other is not shown.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from flows import prepare as prepare_flow
from flows import upgrade as upgrade_flow
from inventory.models.command import Command
from inventory.models.verdict import Verdict
from rehearsal.parts_list import BEFORE_UPGRADE, STAMPED_VERSION
from tasks.drivers.clock import SystemClock
from tasks.drivers.kube import KubeApi
from tasks.ledger.entry import Kind
from tasks.networks.change_load import loaded
from tasks.networks.probe import probing
from tasks.networks.probe_image import probe_image
from tests.site.test_cluster import CLUSTER_CODES, NEW, Clustered, booted, raise_network, verdicts

pytestmark = [pytest.mark.upgrade, pytest.mark.timeout(2400)]
CLOCK = SystemClock()
STATIC = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clustered]:
    folder = tmp_path_factory.mktemp("site")
    with booted(folder, 2, 1, BEFORE_UPGRADE, STAMPED_VERSION) as site:
        result = prepare_flow.prepare.fn(str(site.file))
        print(f"prepared: {result.figures['phase_seconds']}")  # noqa: T201 - figures
        raise_network(site)
        yield site


def nodes(kube: KubeApi) -> dict[str, tuple[str, bool, bool]]:
    """Node -> kubelet's version, Ready, schedulable."""
    return {
        node["metadata"]["name"]: (
            node["status"]["nodeInfo"]["kubeletVersion"],
            any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"]),
            not node["spec"].get("unschedulable", False),
        )
        for node in kube.list("v1", "Node")
    }


def static_pods(kube: KubeApi) -> dict[str, tuple[str, str]]:
    """Component -> the version of its image, and the pod's uid."""
    found = {}
    for pod in kube.list("v1", "Pod", namespace="kube-system"):
        component = pod["metadata"].get("labels", {}).get("component", "")
        if component in STATIC:
            version = pod["spec"]["containers"][0]["image"].rpartition(":")[2]
            found[component] = (version, pod["metadata"]["uid"])
    return found


def test_one_minor_up_under_load(two: Clustered) -> None:
    kube = two.kube
    names = [machine.name for machine in two.plan.oslo_nodes]
    assert nodes(kube) == dict.fromkeys(names, (f"v{STAMPED_VERSION}", True, True))
    before = static_pods(kube)
    image = probe_image(two.place.site.target.cluster.programs).reference
    with probing(kube, CLOCK, names, image) as probes:
        started = time.monotonic()
        with loaded(kube, CLOCK, list(probes.nodes.values()), image) as load:
            result = upgrade_flow.upgrade.fn(str(two.file), NEW, str(two.new))
        seconds = time.monotonic() - started
    print(f"upgraded in {seconds:.1f} s: {json.dumps(result.figures)} {load.lost.figures}")  # noqa: T201 - figures
    assert (result.figures["from"], result.figures["to"]) == (STAMPED_VERSION, NEW)
    assert nodes(kube) == dict.fromkeys(names, (f"v{NEW}", True, True))
    after = static_pods(kube)
    assert set(before) == set(after) == set(STATIC)
    for component, (version, uid) in after.items():
        assert version == f"v{NEW}"
        assert uid != before[component][1]
    assert kube.version() == f"v{NEW}"
    found = verdicts(result, "CLU-")
    assert set(found) == CLUSTER_CODES
    assert set().union(*found.values()) == {Verdict.PASS}
    assert load.lost.requests > 0


def test_etcd_was_saved_before_the_first_change(two: Clustered) -> None:
    (saved, *_) = sorted((two.place.state / "etcd").glob("before-upgrade-*.db"))
    assert saved.stat().st_mode & 0o777 == 0o600
    assert saved.stat().st_size > 1 << 20
    order = [entry.subject for entry in two.place.ledger.entries(Kind.INTENT)]
    upgraded = [subject for subject in order if subject.startswith("upgrade/")]
    assert upgraded == [f"upgrade/{machine.name}" for machine in two.plan.oslo_nodes]
    begun = order[order.index("etcd/backup") :]
    assert not [subject for subject in order[: order.index("etcd/backup")] if "kubeadm" in subject]
    assert set(upgraded) <= set(begun)


def test_no_service_goes_on_with_the_old_program(two: Clustered) -> None:
    for host in two.place.drivers.hosts().values():
        for unit in ("kube-proxy", "kubelet", "containerd", "flanneld"):
            pid = host.check(Command.of("systemctl", "show", "-p", "MainPID", "--value", unit)).strip()
            program = host.check(Command.of("readlink", f"/proc/{pid}/exe"))
            assert "(deleted)" not in program, (host.name, unit, program)


def test_a_second_run_changes_nothing(two: Clustered) -> None:
    before = static_pods(two.kube)
    result = upgrade_flow.upgrade.fn(str(two.file), NEW, str(two.new))
    assert (result.changes, result.figures["node_seconds"]) == (0, {})
    assert static_pods(two.kube) == before
