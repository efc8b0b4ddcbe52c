"""A cluster of three control planes: sound, saved and put back, and alive without one of them.

The nodes are made like `test_prepare`'s, beside any other site. The way is that of the commands: a site file,
and the flows with their tasks as plain functions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.tasks import Task

from flows import etcd as etcd_flow
from flows import prepare as prepare_flow
from flows import upgrade as upgrade_flow
from inventory.errors import BadInput
from inventory.models.command import Command, Script
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict
from rehearsal import netns, nodes, parts, teardown
from rehearsal.parts_list import BEFORE_UPGRADE, STAMPED_VERSION
from rehearsal.plan import Plan
from rehearsal.state import State
from tasks.drivers.kube import KubeApi
from tasks.drivers.ports import Host
from tasks.facts.etcd import ask_snapshot
from tasks.facts.gather import gather
from tasks.operations.etcd_snapshot import SENT
from tasks.steps import cluster, prepare, upgrade
from tasks.steps import etcd as etcd_steps
from tasks.steps.stage import stage
from tasks.steps.workplace import Workplace, opened
from tests.inventory.sites import WHOLE, folder_with
from tests.site.test_network import Standing, _await_ready, planned
from tests.site.test_prepare import Quiet, plan_of

pytestmark = [pytest.mark.site, pytest.mark.timeout(900)]

NEW = "1.37.1"


@dataclass(frozen=True)
class Clustered:
    """Nodes beside any other site; `new` is the folder of the programs to upgrade to."""

    plan: Plan
    state: State
    file: Path
    new: Path
    place: Workplace

    @property
    def hosts(self) -> Mapping[str, Host]:
        return self.place.drivers.hosts()

    @property
    def kube(self) -> KubeApi:
        return KubeApi.open_any(self.place.site.target.cluster.kubeconfig, "trial")


def site_file(plan: Plan, folder: Path, programs: Path, version: str, planes: int) -> Path:
    """A site file of these nodes; the first `planes` are control planes, all are workers."""
    declared: dict[str, Any] = yaml.safe_load(WHOLE.read_text())
    target = declared["target"]
    target["nodes"] = [
        {
            "name": machine.name,
            "address": machine.address,
            "roles": [
                *(["control-plane"] if number < planes else []),
                *("worker", *(["edge", "data"] if number == 0 else [])),
            ],
            "host_key": nodes.host_key(plan, machine),
        }
        for number, machine in enumerate(plan.oslo_nodes)
    ]
    target["underlay"] = plan.oslo_network
    target["ssh"] = {"identity_file": str(plan.ssh_key)}
    target["cluster"] |= {"version": version, "programs": str(programs)}
    target["edge"]["runtime"] = f"ssh://{plan.oslo_nodes[0].name}/run/haproxy/admin.sock"
    expires = "2099-12-31"
    declared["waivers"] = [
        {
            "check": code,
            "subject": "*",
            "reason": "The nodes of this test are containers.",
            "approver": "The tests",
            "expires": expires,
        }
        for code in ("ADM-VIRT",)
    ]
    return folder_with(folder, yaml.safe_dump(declared, sort_keys=False))


@contextmanager
def booted(
    folder: Path, count: int, planes: int, before: Sequence[parts.Part], version: str
) -> Iterator[Clustered]:
    """Bare nodes and their site file, of the programs `before`; every task is a plain function meanwhile."""
    plan = plan_of(count)
    teardown.down(plan)
    state = State(plan)
    patch = pytest.MonkeyPatch()
    for module in (etcd_steps, cluster, prepare, upgrade):
        for name, value in list(vars(module).items()):
            if isinstance(value, Task):
                patch.setattr(module, name, value.fn)
    try:
        new, old = parts.build(Quiet()), parts.build(Quiet(), before)
        nodes.make_keys(plan, plan.oslo_nodes)
        netns.raise_wan(plan, state)
        nodes.boot(plan, state, plan.oslo_nodes)
        file = site_file(plan, folder, old, version, planes)
        with opened(file) as place:
            yield Clustered(plan, state, file, new, place)
    finally:
        patch.undo()
        teardown.down(plan)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clustered]:
    folder = tmp_path_factory.mktemp("site")
    with booted(folder, 3, 3, BEFORE_UPGRADE, STAMPED_VERSION) as site:
        yield site


def raise_network(site: Clustered) -> None:
    """Raise the network, and wait until every node is Ready."""
    programs = site.place.site.target.cluster.programs
    standing = Standing(site.place.site, site.hosts, site.kube, programs, site.plan)
    planned(standing, make=True)
    _await_ready(standing)


def verdicts(result: StageResult, prefix: str) -> dict[str, set[Verdict]]:
    found: dict[str, set[Verdict]] = {}
    for finding in result.findings:
        if finding.code.startswith(prefix):
            found.setdefault(finding.code, set()).add(finding.verdict)
            print(f"{finding.verdict:8} {finding.code} {finding.subject}: {finding.observed}")  # noqa: T201
    return found


CLUSTER_CODES = {"CLU-API", "CLU-CERT", "CLU-CGROUP", "CLU-ETCD", "CLU-RESERVED", "CLU-SKEW"}


def test_three_control_planes_are_prepared_and_sound(three: Clustered) -> None:
    started = time.monotonic()
    result = prepare_flow.prepare.fn(str(three.file))
    print(f"prepared in {time.monotonic() - started:.1f} s: {result.figures['phase_seconds']}")  # noqa: T201
    assert set(verdicts(result, "CLU-")) == CLUSTER_CODES  # judged at the end of prepare
    raise_network(three)


def test_every_check_of_a_sound_cluster_passes(three: Clustered) -> None:
    with opened(three.file), stage("judged") as draft:
        cluster.judge_cluster(draft)
    found = verdicts(draft.result, "CLU-")
    assert set(found) == CLUSTER_CODES
    assert set().union(*found.values()) == {Verdict.PASS}


def configmap(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


def test_what_was_lost_comes_back_and_what_came_later_is_gone(three: Clustered, tmp_path: Path) -> None:
    kube = three.kube
    kube.apply({**configmap("kept"), "data": {"orders": "4711"}})
    saved = tmp_path / "saved.db"
    result = etcd_flow.etcd.fn(str(three.file), "backup", str(saved))
    assert saved.stat().st_mode & 0o777 == 0o600
    assert result.figures["keys"] > 100
    kube.delete("v1", "ConfigMap", "kept", namespace="default")
    kube.apply(configmap("later"))
    started = time.monotonic()
    result = etcd_flow.etcd.fn(str(three.file), "restore", str(saved))
    print(f"restored in {time.monotonic() - started:.1f} s: {result.figures}")  # noqa: T201 - figures
    kube = three.kube
    kept = kube.get("v1", "ConfigMap", "kept", namespace="default")
    assert kept is not None
    assert kept["data"] == {"orders": "4711"}
    assert kube.get("v1", "ConfigMap", "later", namespace="default") is None
    assert set().union(*verdicts(result, "CLU-").values()) == {Verdict.PASS}
    for host in three.hosts.values():
        assert host.check(Command.of("stat", "-c", "%a", result.figures["kept"])) == "700\n"
        assert not host.run(Command.of("test", "-e", SENT)).ok


def test_a_snapshot_is_proved_by_etcd_itself_and_a_damaged_one_touches_nothing(
    three: Clustered, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.db"
    etcd_flow.etcd.fn(str(three.file), "backup", str(saved))
    whole = saved.read_bytes()
    name, host = next(iter(three.hosts.items()))
    asked = ask_snapshot("/root/proof.db")
    host.put_file("/root/proof.db", whole, mode=0o600)
    assert gather(host, (asked,)).of(asked).keys > 100
    saved.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    before = host.check(Command.of("systemctl", "show", "-p", "InvocationID", "etcd"))
    with pytest.raises(BadInput, match="is damaged"):
        etcd_flow.etcd.fn(str(three.file), "restore", str(saved))
    assert host.check(Command.of("systemctl", "show", "-p", "InvocationID", "etcd")) == before, name


def test_an_upgrade_is_planned_and_other_programs_are_refused(three: Clustered) -> None:
    result = upgrade_flow.upgrade.fn(str(three.file), NEW, str(three.new), dry_run=True)
    assert (result.changes, result.figures["from"], result.figures["to"]) == (0, STAMPED_VERSION, NEW)
    with pytest.raises(BadInput, match=r"the programs are of 1\.37\.1, asked for is 1\.38\.0"):
        upgrade_flow.upgrade.fn(str(three.file), "1.38.0", str(three.new), dry_run=True)


def test_the_api_outlives_a_control_plane(three: Clustered) -> None:
    gone, *left = three.plan.oslo_nodes
    nodes.stop(three.state, [gone])
    look = Script.of(
        "kubectl --kubeconfig /etc/kubernetes/kubelet.conf --server https://127.0.0.1:16443 "
        "--request-timeout=5s get --raw /readyz"
    )
    started = time.monotonic()
    for machine in left:
        host = three.hosts[machine.name]
        while not (output := host.run(look, timeout_s=20)).ok:
            assert time.monotonic() - started < 60, output.stderr
            time.sleep(0.5)
        assert output.stdout == "ok"
    print(f"the API answers everywhere after {time.monotonic() - started:.1f} s")  # noqa: T201 - figures
    assert three.kube.version() == f"v{STAMPED_VERSION}"
