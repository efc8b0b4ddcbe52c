"""Phases, programs, images, packages, configurations: what is planned, and that no secret shows."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from inventory.models.change import Change, PutProgram, Run
from inventory.models.cluster import Role
from inventory.models.command import Script
from tasks.facts import capabilities
from tasks.facts.files import FileFact
from tasks.facts.memory import Memory
from tasks.facts.modules import State
from tasks.operations import (
    containerd,
    etcd,
    images,
    kubeadm,
    kubelet,
    modules,
    packages,
    programs,
)
from tasks.operations.node import PHASES
from tests.operations.places import PROGRAMS, TOKEN, preparation, site

READY = preparation()
PLANE, WORKER, _ = READY.site.target.nodes
NOWHERE = {path: FileFact(path, exists=False) for path in kubeadm.joining_paths()}
JOINED = {
    kubeadm.JOINED.path: FileFact(kubeadm.JOINED.path, exists=True, sha256=kubeadm.JOINED.sha256, mode=0o644),
    kubeadm.KUBELET: FileFact(kubeadm.KUBELET, exists=True, sha256="1" * 64, mode=0o600),
}


def test_the_control_plane_is_there_before_anyone_joins() -> None:
    names = [phase.name for phase in PHASES]
    assert len(set(names)) == len(names)
    order = [
        "modules",
        "sysctl",
        "programs",
        "containerd",
        "images",
        "etcd",
        "kubelet",
        "init",
        "token",
        "join",
    ]
    assert [name for name in names if name in order] == order
    where = {phase.name: [node.name for node in phase.nodes(READY)] for phase in PHASES}
    assert where["etcd"] == where["init"] == ["oslo-1"]
    assert where["join"] == ["oslo-2", "oslo-3"]
    assert where["sysctl"] == where["token"] == ["oslo-1", "oslo-2", "oslo-3"]


def test_every_phase_asks_something_and_no_question_holds_a_secret() -> None:
    for phase in PHASES:
        for node in phase.nodes(READY):
            asked = phase.asked(READY, node)
            assert asked
            for question in asked:
                assert TOKEN not in question.command.render()
                assert "PRIVATE KEY" not in question.command.render()


# -- programs -----------------------------------------------------------------------------------------------


def absent(paths: tuple[str, ...]) -> dict[str, FileFact]:
    return {path: FileFact(path, exists=False) for path in paths}


def in_place(layout: programs.Layout) -> dict[str, FileFact]:
    held = {
        path: FileFact(path, exists=True, sha256=READY.programs[name].sha256, mode=0o755)
        for path, name in layout.programs.items()
    }
    return held | {path: FileFact(path, exists=True, link=target) for path, target in layout.links.items()}


def test_a_worker_gets_no_etcd_and_the_control_plane_gets_all() -> None:
    worker, plane = (programs.layout(node, PROGRAMS) for node in (WORKER, PLANE))
    assert "/opt/safe-harbor/bin/etcd" not in worker.programs
    assert plane.programs["/opt/safe-harbor/bin/etcd"] == "etcd"
    assert plane.links["/opt/safe-harbor/bin/kubelet"] == "kubernetes"
    assert worker.links["/usr/local/bin/kubectl"] == "/opt/safe-harbor/bin/kubectl"


def test_separate_programs_need_no_link_to_one() -> None:
    separate = [name for name in PROGRAMS if name != "kubernetes"] + list(programs.KUBERNETES)
    layout = programs.layout(WORKER, separate)
    assert layout.programs["/opt/safe-harbor/bin/kubelet"] == "kubelet"
    assert "/opt/safe-harbor/bin/kubelet" not in layout.links


def test_a_folder_without_a_program_is_bad_input() -> None:
    with pytest.raises(BadInput, match="lacks flanneld, portmap"):
        programs.layout(WORKER, [name for name in PROGRAMS if name not in ("flanneld", "portmap")])


def test_programs_are_planned_once() -> None:
    layout = programs.layout(PLANE, PROGRAMS)
    first = programs.plan(READY, PLANE, absent(layout.paths))
    assert len(first) == len(layout.paths)
    assert sum(isinstance(change.apply[0], PutProgram) for change in first) == len(layout.programs)
    assert programs.plan(READY, PLANE, in_place(layout)) == []


@given(st.sampled_from(sorted(programs.layout(PLANE, PROGRAMS).paths)))
def test_exactly_what_differs_is_changed(path: str) -> None:
    fact = in_place(programs.layout(PLANE, PROGRAMS))
    fact[path] = FileFact(path, exists=True, sha256="f" * 64, mode=0o755)
    changes = programs.plan(READY, PLANE, fact)
    assert [change.subject.split()[1] for change in changes] == [path]


# -- packages and modules -----------------------------------------------------------------------------------


def test_only_missing_packages_are_installed() -> None:
    assert packages.plan("h", dict.fromkeys(packages.NODE, "1")) == []
    (change,) = packages.plan("h", dict.fromkeys(set(packages.NODE) - {"runc", "conntrack"}, "1"))
    assert change.subject == "packages runc conntrack"
    (run,) = change.apply
    assert isinstance(run, Run)
    assert isinstance(run.command, Script)
    assert run.command.arguments == ("runc", "conntrack")


def test_modules_are_loaded_where_they_can_be() -> None:
    names = ["vxlan", "overlay", "wireguard"]
    fact = {"vxlan": State.LOADABLE, "overlay": State.PRESENT, "wireguard": State.MISSING}
    written = modules.wanted(names)
    here = {written.path: FileFact(written.path, exists=True, sha256=written.sha256, mode=0o644)}
    changes = modules.plan("h", fact, here, names)
    assert [change.subject for change in changes] == ["kernel module vxlan"]
    assert modules.plan("h", {**fact, "vxlan": State.PRESENT}, here, names) == []


# -- containerd, etcd, kubelet ------------------------------------------------------------------------------


@pytest.mark.parametrize(("able", "cgroup"), [(True, 2), (False, 1)])
def test_containerd_follows_the_host(able: bool, cgroup: int) -> None:
    owned = frozenset({capabilities.CAP_SYS_RESOURCE} if able else ())
    service = containerd.service(READY, owned, cgroup)
    config = tomllib.loads(service.files[0].content.decode())
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is not able
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is (cgroup == 2)
    assert ("OOMScoreAdjust" in service.text) is able


def test_the_registry_is_trusted_by_its_ca() -> None:
    ca, hosts = containerd.registry_files(READY)
    assert ca.path == "/etc/containerd/certs.d/10.60.0.11:5000/ca.crt"
    parsed = tomllib.loads(hosts.content.decode())
    assert parsed["host"]["https://10.60.0.11:5000"]["ca"] == ca.path


def test_etcd_speaks_tls_only_and_its_keys_are_private() -> None:
    service = etcd.service(READY, PLANE)
    config = json.loads(service.files[0].content)
    assert config["client-transport-security"]["client-cert-auth"] is True
    assert config["peer-transport-security"]["client-cert-auth"] is True
    assert "http://" not in json.dumps({key: value for key, value in config.items() if "metrics" not in key})
    for file in (*service.files, *etcd.client_files(READY)):
        assert file.mode == (0o600 if file.path.endswith(".key") else 0o644)


@pytest.mark.parametrize(("version", "swaps"), [(1, ()), (2, ()), (2, ("/swap",))])
def test_kubelet_follows_the_host(version: int, swaps: tuple[str, ...]) -> None:
    found = kubelet.settings(READY, Memory(1, 1, 0, swaps, 1), version)
    assert found["cgroupDriver"] == ("cgroupfs" if version == 1 else "systemd")
    assert ("failCgroupV1" in found) is (version == 1)
    assert ("failSwapOn" in found) is bool(swaps)
    assert found["maxPods"] == 110


# -- images -------------------------------------------------------------------------------------------------

PLANE_IMAGES = [name for _, names in images.archives(READY, PLANE) for name in names]


def stamps(**digests: str) -> dict[str, FileFact]:
    found = {}
    for name in ("pause", "control-plane"):
        mark = images.stamp(READY, name)
        found[mark.path] = FileFact(mark.path, exists=True, sha256=digests.get(name, mark.sha256), mode=0o644)
    return found


def test_images_are_imported_once_and_again_for_other_programs() -> None:
    assert images.plan(READY, PLANE, PLANE_IMAGES, stamps()) == []
    assert [change.subject for change in images.plan(READY, PLANE, [], stamps())] == [
        "images pause",
        "images control-plane",
    ]
    (change,) = images.plan(READY, PLANE, PLANE_IMAGES, stamps(pause="0" * 64))
    assert change.before == "made of other programs"
    assert [change.subject for change in images.plan(READY, WORKER, [], stamps())] == ["images pause"]


# -- kubeadm ------------------------------------------------------------------------------------------------


def begin(node_changes: list[Change]) -> Run:
    (change,) = node_changes
    runs = [action for action in change.apply if isinstance(action, Run)]
    return runs[-1]


def test_a_joined_node_is_left_alone_and_needs_no_token() -> None:
    assert kubeadm.plan_init(READY, PLANE, JOINED, ()) == []
    assert kubeadm.plan_join(READY, WORKER, JOINED, ()) == []
    assert kubeadm.plan_token(READY, "oslo-1", []) == []


@pytest.mark.parametrize("missing", sorted(JOINED))
def test_a_run_that_was_killed_is_begun_again(missing: str) -> None:
    fact = {**JOINED, missing: FileFact(missing, exists=False)}
    assert len(kubeadm.plan_join(READY, WORKER, fact, ())) == 1


def test_the_token_is_on_stdin_and_nowhere_else() -> None:
    every = [
        *kubeadm.plan_init(READY, PLANE, NOWHERE, ()),
        *kubeadm.plan_token(READY, "oslo-1", ["oslo-2"]),
        *kubeadm.plan_join(READY, WORKER, NOWHERE, ()),
    ]
    secret = TOKEN.partition(".")[2]
    for change in every:
        assert secret not in repr(change)
        for action in change.apply:
            if isinstance(action, Run):
                assert secret not in action.command.render()
        given = [action.stdin for action in change.apply if isinstance(action, Run)]
        assert sum(secret.encode() in stdin for stdin in given) == 1


def test_no_private_key_is_shown_by_any_change() -> None:
    files = (*kubeadm.authority_files(READY), *etcd.client_files(READY), *etcd.service(READY, PLANE).files)
    assert "PRIVATE KEY" not in repr(files)
    assert "PRIVATE KEY" not in repr(READY.pki)


def test_a_joining_node_recognises_the_cluster_by_its_key() -> None:
    document = json.loads(begin(kubeadm.plan_join(READY, WORKER, NOWHERE, ("Swap",))).stdin)
    found = document["discovery"]["bootstrapToken"]
    assert found["caCertHashes"] == [READY.pki.ca_hash]
    assert found["apiServerEndpoint"] == "10.60.0.11:6443"
    assert document["nodeRegistration"]["ignorePreflightErrors"] == ["Swap"]
    assert "controlPlane" not in document


def test_the_control_plane_takes_pods_only_where_it_is_a_worker_too() -> None:
    text = kubeadm.init_configuration(READY, PLANE, ())
    init, cluster = (json.loads(part) for part in text.split("\n---\n"))
    assert "taints" not in init["nodeRegistration"]
    both = PLANE.model_copy(update={"roles": (Role.CONTROL_PLANE, Role.WORKER)})
    init_both = json.loads(kubeadm.init_configuration(READY, both, ()).split("\n---\n")[0])
    assert init_both["nodeRegistration"]["taints"] == []
    assert cluster["etcd"]["external"]["endpoints"] == ["https://10.60.0.11:2379"]
    assert cluster["proxy"] == {"disabled": True}
    assert cluster["kubernetesVersion"] == "v1.37.1"


def test_preflight_is_silenced_by_name_and_only_where_it_must() -> None:
    assert kubeadm.ignored_errors(container=False, cgroup=2, swap=False, begun=False) == ()
    assert kubeadm.ignored_errors(container=True, cgroup=2, swap=True, begun=False) == (
        "SystemVerification",
        "Swap",
    )
    begun = kubeadm.ignored_errors(container=False, cgroup=2, swap=False, begun=True)
    assert "Port-10250" in begun
    assert "all" not in begun


def test_three_control_planes_share_one_etcd_and_join_as_such() -> None:
    nodes = tuple(node.model_copy(update={"roles": (Role.CONTROL_PLANE,)}) for node in site().target.nodes)
    declared = site()
    target = declared.target.model_copy(update={"nodes": nodes})
    ready = replace(
        READY,
        site=declared.model_copy(update={"target": target}),
        pki=type(READY.pki)(
            {
                **READY.pki.pairs,
                **{
                    f"etcd-{kind}-{node.name}": READY.pki[f"etcd-{kind}-oslo-1"]
                    for node in nodes
                    for kind in ("server", "peer")
                },
            }
        ),
    )
    config = json.loads(etcd.service(ready, nodes[1]).files[0].content)
    assert config["initial-cluster"].count("https://") == 3
    document = json.loads(begin(kubeadm.plan_join(ready, nodes[1], NOWHERE, ())).stdin)
    assert document["controlPlane"]["localAPIEndpoint"]["advertiseAddress"] == "10.60.0.12"
