"""The plans for several control planes, etcd's snapshots, reservations and the upgrade."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from inventory.kubernetes_version import Version
from inventory.models.change import PutProgram, Run
from inventory.models.cluster import Role
from inventory.models.command import Command, Script
from tasks.facts.memory import Memory
from tasks.operations import api_balancer, etcd_snapshot, kubeadm, kubelet, upgrade
from tasks.operations.kubeconfig import reaching
from tasks.operations.node import PHASES
from tasks.operations.preparation import Preparation, api_endpoint, balances, lead_endpoints
from tasks.operations.reserved import reserved
from tests.operations.places import preparation, site

ONE = preparation()


def several(endpoint: str = "") -> Preparation:
    """The same site with three control planes."""
    target = ONE.site.target
    planes = tuple(
        node.model_copy(update={"roles": (Role.CONTROL_PLANE, Role.WORKER)}) for node in target.nodes
    )
    cluster = target.cluster.model_copy(update={"api_endpoint": endpoint})
    changed = target.model_copy(update={"nodes": planes, "cluster": cluster})
    return replace(ONE, site=ONE.site.model_copy(update={"target": changed}))


# -- the endpoint -------------------------------------------------------------------------------------------


def test_one_control_plane_is_its_own_endpoint() -> None:
    assert api_endpoint(ONE.site.target) == "10.60.0.11:6443"
    assert not balances(ONE.site.target)
    phase = next(phase for phase in PHASES if phase.name == "balancer")
    assert phase.nodes(ONE) == ()


def test_with_three_every_node_has_its_own_way_to_all() -> None:
    ready = several()
    assert ready.endpoint == "127.0.0.1:16443"
    assert lead_endpoints(ready.site.target) == tuple(f"10.60.0.1{number}:6443" for number in (1, 2, 3))
    config = api_balancer.service(ready).files[0].content.decode()
    assert [line.split()[1:3] for line in config.splitlines() if line.startswith("    server ")] == [
        [f"oslo-{number}", f"10.60.0.1{number}:6443"] for number in (1, 2, 3)
    ]
    assert "verify required ca-file" in config
    names = [phase.name for phase in PHASES]
    assert names.index("etcd") < names.index("balancer") < names.index("init")


def test_the_sites_own_address_wins_and_stands_in_the_certificate() -> None:
    ready = several("api.oslo.example:6443")
    assert ready.endpoint == "api.oslo.example:6443"
    assert not balances(ready.site.target)
    assert lead_endpoints(ready.site.target) == ("api.oslo.example:6443",)
    text = kubeadm.init_configuration(ready, ready.planes[0], ())
    cluster = json.loads(text.split("\n---\n")[1])
    assert cluster["controlPlaneEndpoint"] == "api.oslo.example:6443"
    assert {"api.oslo.example", "127.0.0.1", "oslo-3", "10.60.0.13"} <= set(cluster["apiServer"]["certSANs"])


def test_kubeadm_waits_for_an_api_server_that_starts_slowly() -> None:
    ready = several()
    node = ready.planes[0]
    init = json.loads(kubeadm.init_configuration(ready, node, ()).split("\n---\n")[0])
    join = json.loads(kubeadm.join_configuration(ready, node, ()))
    assert init["timeouts"] == join["timeouts"] == {"kubernetesAPICall": "4m0s"}


def test_the_leads_kubeconfig_has_a_context_for_every_server() -> None:
    admin = yaml.safe_dump(
        {
            "clusters": [
                {"name": "k", "cluster": {"certificate-authority-data": "Q0E=", "server": "https://x"}}
            ],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "admin"}}],
            "users": [{"name": "admin", "user": {"client-key-data": "S0VZ"}}],
            "current-context": "c",
        }
    )
    document = yaml.safe_load(reaching(admin, ("10.60.0.11:6443", "10.60.0.12:6443"), "oslo"))
    assert document["current-context"] == "admin@oslo"
    assert [context["name"] for context in document["contexts"]] == ["admin@oslo", "admin@oslo-2"]
    assert [each["cluster"]["server"] for each in document["clusters"]] == [
        "https://10.60.0.11:6443",
        "https://10.60.0.12:6443",
    ]


# -- reservations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory_mib", "processors", "roles", "kube", "system"),
    [
        # GKE's own example: 4 processors and 8 GiB reserve 120 millicores and 680 MiB (410 + 280, rounded).
        (8192, 4, (Role.WORKER,), ("40m", "410Mi"), ("80m", "280Mi")),
        (8192, 4, (Role.CONTROL_PLANE,), ("40m", "410Mi"), ("80m", "792Mi")),
        (65536, 16, (Role.CONTROL_PLANE, Role.DATA, Role.EDGE), ("160m", "3277Mi"), ("80m", "1816Mi")),
        (2048, 2, (Role.CONTROL_PLANE, Role.DATA), ("20m", "102Mi"), ("80m", "792Mi")),
    ],
)
def test_what_is_reserved(
    memory_mib: int, processors: int, roles: tuple[Role, ...], kube: tuple[str, str], system: tuple[str, str]
) -> None:
    settings = reserved(memory_mib, processors, roles).settings()
    assert (settings["kubeReserved"]["cpu"], settings["kubeReserved"]["memory"]) == kube
    assert (settings["systemReserved"]["cpu"], settings["systemReserved"]["memory"]) == system


@given(st.integers(1000, 1 << 20), st.integers(1, 256), st.sets(st.sampled_from(list(Role))))
def test_pods_always_keep_most_of_the_memory_of_an_admitted_node(
    memory_mib: int, processors: int, roles: set[Role]
) -> None:
    found = reserved(memory_mib, processors, roles)
    assert found.kube_mib + found.system_mib < 0.6 * memory_mib
    assert found.kube_millicores + found.system_millicores < 1000 * processors


def test_the_kubelet_is_told_so() -> None:
    memory = Memory(8 << 20, 8 << 20, 0, (), 4)
    settings = kubelet.settings(ONE, memory, 2, (Role.WORKER,))
    assert settings["kubeReserved"] == {"cpu": "40m", "memory": "410Mi"}


# -- etcd ---------------------------------------------------------------------------------------------------


def words(change_run: object) -> tuple[str, ...]:
    assert isinstance(change_run, Run)
    command = change_run.command
    assert isinstance(command, Script | Command)
    return tuple(str(word) for word in (command.arguments if isinstance(command, Script) else command.words))


def test_every_member_is_made_for_the_whole_cluster_with_revisions_ahead() -> None:
    ready = several()
    for node in ready.planes:
        said = words(etcd_snapshot.plan_make(ready.site, node).apply[0])
        assert f"--name={node.name}" in said
        assert f"--initial-advertise-peer-urls=https://{node.address}:2380" in said
        assert any(word.startswith("--initial-cluster=") and word.count("https://") == 3 for word in said)
        assert {"--bump-revision=1000000000", "--mark-compacted"} <= set(said)


def test_the_old_data_is_kept_and_the_way_back_is_planned() -> None:
    change = etcd_snapshot.plan_swap(ONE.planes[0], etcd_snapshot.kept_name("20261123T120000Z"))
    assert "/var/lib/etcd.before-20261123T120000Z" in words(change.apply[0])
    assert "/var/lib/etcd.before-20261123T120000Z" in words(change.undo[0])
    assert etcd_snapshot.plan_stop_api(ONE.planes[0]).undo


def test_a_snapshot_leaves_the_node_again() -> None:
    change = etcd_snapshot.plan_save(ONE.planes[0])
    assert change.undo
    assert "--command-timeout=900s" in words(change.apply[0])


# -- the upgrade --------------------------------------------------------------------------------------------

TO = Version(1, 38, 0)


def test_control_planes_go_first_in_the_order_of_the_file() -> None:
    whole = site()
    last = whole.target.nodes[2].model_copy(update={"roles": (Role.CONTROL_PLANE,)})
    nodes = (whole.target.nodes[1], last, whole.target.nodes[0])
    turned = whole.model_copy(update={"target": whole.target.model_copy(update={"nodes": nodes})})
    assert [node.name for node in upgrade.order(turned)] == ["oslo-3", "oslo-1", "oslo-2"]


def test_only_one_control_plane_applies_the_version() -> None:
    ready = several()
    first, second, _ = ready.planes
    applies = upgrade.plan_kubeadm(ready, first, TO, applies=True, ignored=("Swap",))
    assert words(applies.apply[1])[2:] == (
        "upgrade",
        "apply",
        "v1.38.0",
        "--yes",
        "--ignore-preflight-errors=Swap,CoreDNSUnsupportedPlugins,CoreDNSMigration",
    )
    follows = upgrade.plan_kubeadm(ready, second, TO, applies=False, ignored=())
    assert words(follows.apply[1])[2:] == ("upgrade", "node")


def test_the_new_kubeadm_comes_alone_under_its_own_name() -> None:
    staged = upgrade.plan_kubeadm(ONE, ONE.planes[0], TO, applies=True, ignored=()).apply[0]
    assert isinstance(staged, PutProgram)
    assert (staged.path, staged.source) == (upgrade.STAGED, "/programs/kubernetes")
    assert upgrade.STAGED.endswith("/kubeadm")


def test_a_drained_node_takes_pods_again_whatever_happens() -> None:
    first, second, _ = ONE.site.target.nodes
    drain = upgrade.plan_drain(first, second)
    assert drain.host == first.name
    assert words(drain.undo[0])[-2:] == ("uncordon", second.name)
