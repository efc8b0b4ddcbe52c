"""What of real objects stays behind, and what moves."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.move.order import LAST, ORDER, in_order
from tasks.move.strip import Dropped, is_aws, left_behind, stripped, subject_of

RECORDED = Path(__file__).parent.parent / "data" / "objects" / "shop-namespace.json"


def recorded(kind: str = "", name: str = "") -> list[dict[str, Any]]:
    """Objects as a real API server 1.37 gave them."""
    found: list[dict[str, Any]] = json.loads(RECORDED.read_text())
    return [one for one in found if kind in ("", one["kind"]) and name in ("", one["metadata"]["name"])]


def made(kind: str, api_version: str = "v1", **content: Any) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "shop", **content.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


AWS_ANNOTATION = "service.beta.kubernetes.io/aws-load-balancer-type"
OWNER = {"kind": "CronJob", "name": "n", "controller": True}


def fields(dropped: tuple[Dropped, ...]) -> set[str]:
    return {one.field for one in dropped}


def test_of_a_recorded_namespace_these_move() -> None:
    moving = sorted(subject_of(one) for one in recorded() if not left_behind(one))
    assert moving == [
        "ConfigMap shop/shop",
        "Deployment shop/shop",
        "Namespace shop",
        "ResourceQuota shop/shop",
        "Secret shop/shop-database",
        "Service shop/db-primary",
        "Service shop/db-read",
        "Service shop/shop",
    ]


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("ReplicaSet", "", "made by Deployment shop"),
        ("ServiceAccount", "default", "gets its own"),
        ("ConfigMap", "kube-root-ca.crt", "own CA"),
        ("Endpoints", "", "writes its own"),
        ("EndpointSlice", "", "old cluster"),
    ],
)
def test_of_a_recorded_namespace_these_stay(kind: str, name: str, reason: str) -> None:
    staying = recorded(kind, name)
    assert staying
    assert all(reason in left_behind(one) for one in staying)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (made("Secret", type="kubernetes.io/service-account-token"), "token"),
        (made("Secret", type="helm.sh/release.v1"), "helm"),
        (made("TargetGroupBinding", "elbv2.k8s.aws/v1beta1"), "AWS"),
        (made("CustomResourceDefinition", metadata={"name": "x.vpcresources.k8s.aws"}), "AWS"),
        (made("Job", "batch/v1", metadata={"ownerReferences": [OWNER]}), "CronJob n"),
        (made("Event"), "record"),
        (made("Lease", "coordination.k8s.io/v1"), "process"),
    ],
)  # fmt: skip
def test_whole_objects_that_stay(one: dict[str, Any], reason: str) -> None:
    assert reason in left_behind(one)


@pytest.mark.parametrize(
    "one",
    [
        made("Secret", type="Opaque"),
        made("ServiceAccount", metadata={"name": "shop"}),
        made("PodDisruptionBudget", "policy/v1"),
    ],
)
def test_whole_objects_that_move(one: dict[str, Any]) -> None:
    assert left_behind(one) == ""


def test_a_recorded_deployment_loses_only_what_is_the_clusters() -> None:
    (one,) = recorded("Deployment")
    new, dropped = stripped(one)
    assert set(new["metadata"]) == {"name", "namespace", "labels"}
    assert "status" not in new
    assert new["spec"]["replicas"] == one["spec"]["replicas"]
    assert new["spec"]["template"]["spec"]["containers"] == one["spec"]["template"]["spec"]["containers"]
    assert dropped == ()


def test_a_recorded_service_keeps_its_node_port_and_loses_its_address() -> None:
    (one,) = recorded("Service", "shop")
    new, _ = stripped(one)
    assert "clusterIP" not in new["spec"]
    assert "clusterIPs" not in new["spec"]
    assert new["spec"]["ports"][0]["nodePort"] == 30080
    assert new["spec"]["type"] == "NodePort"


def test_a_headless_service_stays_headless() -> None:
    new, _ = stripped(made("Service", spec={"clusterIP": "None", "clusterIPs": ["None"], "ports": []}))
    assert new["spec"]["clusterIP"] == "None"


def test_a_load_balancer_becomes_a_node_port_without_aws() -> None:
    new, dropped = stripped(
        made(
            "Service",
            metadata={"annotations": {AWS_ANNOTATION: "nlb", "team": "shop"}},
            spec={
                "type": "LoadBalancer", "externalIPs": ["1.2.3.4"],
                "loadBalancerClass": "service.k8s.aws/nlb", "healthCheckNodePort": 31000,
                "ports": [{"port": 80, "nodePort": 30080}],
            },
        )
    )  # fmt: skip
    assert new["spec"] == {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}
    assert new["metadata"]["annotations"] == {"team": "shop"}
    assert fields(dropped) == {
        f"metadata.annotations.{AWS_ANNOTATION}",
        "spec.externalIPs",
        "spec.loadBalancerClass",
        "spec.healthCheckNodePort",
    }
    assert all(one.reason for one in dropped)


def test_a_cluster_service_loses_stray_node_ports() -> None:
    new, _ = stripped(made("Service", spec={"type": "ClusterIP", "ports": [{"port": 1, "nodePort": 30001}]}))
    assert new["spec"]["ports"] == [{"port": 1}]


def test_a_pod_loses_its_node_and_its_priority() -> None:
    new, dropped = stripped(
        made(
            "Pod",
            spec={
                "nodeName": "ip-10-0-0-1.ec2.internal", "priority": 0, "containers": [],
                "nodeSelector": {"eks.amazonaws.com/nodegroup": "a", "disk": "ssd"},
            },
        )
    )  # fmt: skip
    assert new["spec"] == {"containers": [], "nodeSelector": {"disk": "ssd"}}
    assert fields(dropped) == {"pod.nodeName", "pod.nodeSelector.eks.amazonaws.com/nodegroup"}


def test_a_job_loses_its_made_selector_unless_it_is_manual() -> None:
    labels = {"controller-uid": "u", "job-name": "x", "app": "a"}
    spec = {
        "selector": {"matchLabels": {"controller-uid": "u"}},
        "template": {"metadata": {"labels": labels}, "spec": {}},
    }
    new, dropped = stripped(made("Job", "batch/v1", spec=copy.deepcopy(spec)))
    assert "selector" not in new["spec"]
    assert new["spec"]["template"]["metadata"]["labels"] == {"app": "a"}
    assert fields(dropped) == {"spec.selector"}
    manual, _ = stripped(made("Job", "batch/v1", spec={**copy.deepcopy(spec), "manualSelector": True}))
    assert "selector" in manual["spec"]


def test_a_claim_forgets_its_volume() -> None:
    new, dropped = stripped(
        made(
            "PersistentVolumeClaim",
            metadata={
                "annotations": {"pv.kubernetes.io/bind-completed": "yes"},
                "finalizers": ["kubernetes.io/pvc-protection"],
            },
            spec={"volumeName": "pvc-1", "storageClassName": "gp3"},
        )
    )
    assert new["spec"] == {"storageClassName": "gp3"}
    assert set(new["metadata"]) == {"name", "namespace"}
    assert fields(dropped) == {"spec.volumeName"}


def test_an_account_loses_its_role_at_aws() -> None:
    new, dropped = stripped(
        made(
            "ServiceAccount",
            metadata={"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/shop"}},
            secrets=[{"name": "shop-token-abcde"}],
        )
    )
    assert "annotations" not in new["metadata"]
    assert "secrets" not in new
    assert fields(dropped) == {"metadata.annotations.eks.amazonaws.com/role-arn", "secrets"}


@pytest.mark.parametrize(
    "word",
    [
        "service.beta.kubernetes.io/aws-load-balancer-type",
        "eks.amazonaws.com/role-arn",
        "k8s.aws",
        "ebs.csi.aws.com",
    ],
)
def test_words_of_aws(word: str) -> None:
    assert is_aws(word)


@pytest.mark.parametrize("word", ["app.kubernetes.io/name", "lawsuit", "seeks.example/x", "apps", ""])
def test_words_that_only_look_like_it(word: str) -> None:
    assert not is_aws(word)


def test_the_input_stays_as_it_is_and_a_second_strip_changes_nothing() -> None:
    for one in recorded():
        before = copy.deepcopy(one)
        new, _ = stripped(one)
        assert one == before
        assert stripped(new) == (new, ())


@given(st.permutations([*ORDER, *LAST, "Deployment", "StatefulSet"]))
def test_the_order_does_not_depend_on_the_input(kinds: list[str]) -> None:
    ordered = [one["kind"] for one in in_order([made(kind) for kind in kinds])]
    assert ordered[: len(ORDER)] == list(ORDER)
    assert ordered[len(ORDER) :] == ["Deployment", "StatefulSet", *LAST]
