from __future__ import annotations

import json

import pytest
import yaml

from inventory.models.secret import Secret
from rehearsal.plan import Plan
from rehearsal.source_files import KUBEADM_CONFIG, Admittance, HostFacts, files, kubelet_config, links, units

PLAN = Plan()
CONTROL_PLANE, WORKER = PLAN.aws_nodes[:2]
FREE = HostFacts(cgroup_version=2, may_raise_limits=True)
BOUND = HostFacts(cgroup_version=1, may_raise_limits=False)
WORD = "0a1b2c.0123456789abcdef"
ADMITTANCE = Admittance(Secret(WORD), "sha256:00ff")


def test_the_limits_are_only_pretended_where_raising_is_refused() -> None:
    assert "SystemCallFilter=~setrlimit:0 prlimit64:0" in units(PLAN, WORKER, BOUND)["kube-proxy"]
    assert "SystemCallFilter" not in units(PLAN, WORKER, FREE)["kube-proxy"]


@pytest.mark.parametrize(("facts", "restricted"), [(FREE, "false"), (BOUND, "true")])
def test_containerd_is_told_whether_it_may_lower_scores(facts: HostFacts, restricted: str) -> None:
    made = {file.path: file.text for file in files(PLAN, WORKER, facts, ADMITTANCE)}
    assert f"restrict_oom_score_adj = {restricted}" in made["/etc/containerd/config.toml"]


def test_kubelet_goes_on_with_cgroup_version_1_only_when_told() -> None:
    assert kubelet_config(BOUND)["failCgroupV1"] is False
    assert "failCgroupV1" not in kubelet_config(FREE)


def test_kube_proxy_is_in_userspace_mode_on_every_node() -> None:
    for machine in PLAN.aws_nodes:
        made = {file.path: file.text for file in files(PLAN, machine, BOUND, ADMITTANCE)}
        config = yaml.safe_load(made["/etc/kubernetes/kube-proxy.yaml"])
        assert config["mode"] == "userspace"
        assert config["hostnameOverride"] == machine.name
        assert config["conntrack"] == {"maxPerCore": 0}
        assert json.loads(made["/etc/kube-flannel.json"])["Backend"] == {"Type": "vxlan"}


def test_the_api_server_is_certified_for_its_public_address() -> None:
    made = {file.path: file.text for file in files(PLAN, CONTROL_PLANE, BOUND, ADMITTANCE)}
    documents = {each["kind"]: each for each in yaml.safe_load_all(made[KUBEADM_CONFIG])}
    cluster = documents["ClusterConfiguration"]
    assert cluster["apiServer"]["certSANs"] == ["198.18.0.13", "10.40.0.11"]
    assert cluster["networking"] == {"podSubnet": "10.44.0.0/16", "serviceSubnet": "10.45.0.0/16"}
    assert documents["InitConfiguration"]["localAPIEndpoint"]["advertiseAddress"] == "10.40.0.11"


def test_the_control_plane_is_made_by_init_and_the_workers_join_it() -> None:
    first, second = (units(PLAN, machine, BOUND) for machine in (CONTROL_PLANE, WORKER))
    assert "raise-cluster" in first["rehearsal-cluster"]
    assert "join-cluster" in second["rehearsal-cluster"]
    assert "etcd" not in second
    joining = {file.path: file for file in files(PLAN, WORKER, BOUND, ADMITTANCE)}[KUBEADM_CONFIG]
    found = yaml.safe_load(joining.text)["discovery"]["bootstrapToken"]
    assert found == {"apiServerEndpoint": "10.40.0.11:6443", "token": WORD, "caCertHashes": ["sha256:00ff"]}


def test_a_node_joins_once_and_its_kubelet_starts_at_every_later_boot() -> None:
    for machine in (CONTROL_PLANE, WORKER):
        made = units(PLAN, machine, BOUND)
        assert "ConditionPathExists=!/var/lib/kubelet/config.yaml" in made["rehearsal-cluster"]
        assert "ConditionPathExists=/var/lib/kubelet/config.yaml" in made["kubelet"]


def test_the_token_is_in_private_files_only() -> None:
    for machine in (CONTROL_PLANE, WORKER):
        holders = [file for file in files(PLAN, machine, BOUND, ADMITTANCE) if WORD in file.text]
        assert [(file.path, file.mode) for file in holders] == [(KUBEADM_CONFIG, 0o600)]


def test_kube_proxy_is_the_old_release_and_kubelet_the_new() -> None:
    made = links(("kubelet", "kubectl"))
    assert made["/usr/local/bin/kube-proxy"].endswith("/kube-proxy-1.25")
    assert made["/usr/local/bin/kubelet"].endswith("/kubernetes")


def test_each_node_is_waited_for_by_itself() -> None:
    """`kubectl wait --for=create` of several nodes ends at once where two of them are missing."""
    made = {file.path: file.text for file in files(PLAN, CONTROL_PLANE, BOUND, ADMITTANCE)}
    raised = made["/usr/local/sbin/raise-cluster"]
    assert "for node in node/aws-1 node/aws-2 node/aws-3; do kubectl wait --for=create" in raised
