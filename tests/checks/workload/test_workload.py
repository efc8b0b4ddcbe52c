"""Workload checks block in the namespaces that move, warn of the others, and never pass unseen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from inventory.load import load_site
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload
from tasks.checks.registry import Check, in_group, judge
from tasks.checks.workload import wl_aws, wl_image, wl_ready, wl_single
from tasks.drivers.errors import Denied, OutsideError
from tests.inventory.sites import whole
from tests.survey.clock import StandingClock

CODES = ["WL-AWS", "WL-GRACE", "WL-IMAGE", "WL-READY", "WL-SINGLE"]  # each judges every workload
PROBE = {"httpGet": {"path": "/readyz", "port": 8080}}
SLEEPS = {"preStop": {"sleep": {"seconds": 3}}}
DIGEST = "@sha256:" + "a" * 64


class FakeKube:
    name = "source"

    def __init__(
        self, objects: dict[str, list[dict[str, Any]] | OutsideError], kinds: Sequence[tuple[str, str]] = ()
    ) -> None:
        self._objects = objects
        self._kinds = kinds

    def kinds(self) -> Sequence[tuple[str, str]]:
        return self._kinds

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        found = self._objects.get(kind, [])
        if isinstance(found, OutsideError):
            raise found
        return found


def container(**changes: Any) -> dict[str, Any]:
    made = {"name": "shop", "image": f"r/shop{DIGEST}", "ports": [{"containerPort": 8080}]}
    return {**made, "readinessProbe": PROBE, "lifecycle": SLEEPS, **changes}


def deployment(
    *containers: dict[str, Any], namespace: str = "shop", name: str = "shop", **spec: Any
) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": name, "tier": "web"}},
        "spec": {"containers": list(containers) or [container()]},
    }
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"replicas": 3, "template": template} | spec,
    }


def service(
    namespace: str = "shop", selector: dict[str, str] | None = None, **changes: Any
) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": "shop", "annotations": changes.pop("annotations", {})}
    chosen = {"app": "shop"} if selector is None else selector
    return {"metadata": metadata, "spec": {"type": "NodePort", "selector": chosen, **changes}}


def findings(check: Check, folder: Path, kube: FakeKube) -> list[Finding]:
    site = load_site(whole(folder))
    context = Workload(site=site, source=kube, clock=StandingClock())  # type: ignore[arg-type] # as far as used
    found = judge([check], context)
    assert all(each.remedy for each in found if each.verdict is not Verdict.PASS)
    return found


def verdicts(check: Check, folder: Path, **objects: Any) -> dict[str, Verdict]:
    found = findings(check, folder, FakeKube({"Service": [service()], **objects}))
    return {each.subject: each.verdict for each in found}


def test_the_group_has_these_checks() -> None:
    assert [check.code for check in in_group("workload")] == sorted(
        [*CODES, "WL-POLICY", "WL-SCALE", "WL-WEAVE"]
    )


@pytest.mark.parametrize("code", CODES)
def test_a_sound_workload_passes_with_evidence(code: str, tmp_path: Path) -> None:
    (check,) = (each for each in in_group("workload") if each.code == code)
    kube = FakeKube({"Deployment": [deployment()], "Service": [service()]})
    found = findings(check, tmp_path, kube)
    assert [each.verdict for each in found] == [Verdict.PASS]
    assert found[0].evidence


@pytest.mark.parametrize("code", CODES)
def test_nothing_there_is_no_data_and_nothing_shown_is_an_error(code: str, tmp_path: Path) -> None:
    (check,) = (each for each in in_group("workload") if each.code == code)
    assert [each.verdict for each in findings(check, tmp_path, FakeKube({}))] == [Verdict.NODATA]
    blind = FakeKube({"StatefulSet": Denied("source", "forbidden"), "Deployment": [deployment()]})
    assert [each.verdict for each in findings(check, tmp_path, blind)] == [Verdict.ERROR]


@pytest.mark.parametrize(
    ("containers", "services", "expected"),
    [
        ([container(readinessProbe=None)], [service()], Verdict.FAIL),
        ([container(readinessProbe=None)], [], Verdict.WARN),
        ([container(readinessProbe=None)], [service(selector={"app": "other"})], Verdict.WARN),
        ([container(readinessProbe=None)], [service(namespace="other")], Verdict.WARN),
        ([container(readinessProbe=None)], [service(selector={})], Verdict.WARN),
        ([container(), container(name="b", readinessProbe=None)], [service()], Verdict.FAIL),
        ([container(), container(name="b", readinessProbe=None, ports=None)], [service()], Verdict.PASS),
        ([container(ports=None)], [service()], Verdict.PASS),
        ([container(ports=None, readinessProbe=None, livenessProbe=PROBE)], [service()], Verdict.FAIL),
    ],
)
def test_a_workload_without_a_readiness_probe_is_a_finding_and_fails_behind_a_service(
    containers: list[dict[str, Any]], services: list[dict[str, Any]], expected: Verdict, tmp_path: Path
) -> None:
    found = verdicts(wl_ready.CHECK, tmp_path, Deployment=[deployment(*containers)], Service=services)
    assert found == {"deployment/shop/shop": expected}


def test_other_namespaces_warn_in_one_finding(tmp_path: Path) -> None:
    bad = container(readinessProbe=None, image="nginx")
    others = [deployment(bad, namespace="other", name="shop", replicas=1), deployment()]
    services = [service(), service(namespace="other")]
    for check in (wl_ready.CHECK, wl_image.CHECK, wl_single.CHECK):
        found = verdicts(check, tmp_path, Deployment=others, Service=services)
        assert found == {"deployment/shop/shop": Verdict.PASS, "other-namespaces": Verdict.WARN}


@pytest.mark.parametrize("image", ["nginx", "r:5000/shop", "r/shop:latest", "r/shop:1.2"])
def test_an_image_without_a_digest_warns(image: str, tmp_path: Path) -> None:
    found = verdicts(wl_image.CHECK, tmp_path, Deployment=[deployment(container(image=image))])
    assert found == {"deployment/shop/shop": Verdict.WARN}


def test_one_replica_warns_and_a_missing_number_is_one(tmp_path: Path) -> None:
    without = deployment(name="b")
    del without["spec"]["replicas"]
    found = verdicts(wl_single.CHECK, tmp_path, Deployment=[deployment(replicas=1), without])
    assert found == {"deployment/shop/shop": Verdict.WARN, "deployment/shop/b": Verdict.WARN}


def test_an_owned_object_is_judged_by_its_owner_alone(tmp_path: Path) -> None:
    job = deployment(container(image="nginx"))
    job["metadata"]["ownerReferences"] = [{"kind": "CronJob", "controller": True}]
    assert verdicts(wl_image.CHECK, tmp_path, Deployment=[deployment()], Job=[job]) == {
        "deployment/shop/shop": Verdict.PASS
    }


AWS_ONLY: list[tuple[dict[str, Any], str, Verdict]] = [
    (
        {"Service": [service(annotations={"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"})]},
        "service/shop/shop",
        Verdict.WARN,
    ),
    ({"Service": [service(type="LoadBalancer")]}, "service/shop/shop", Verdict.WARN),
    (
        {
            "ServiceAccount": [
                {
                    "metadata": {
                        "namespace": "shop",
                        "name": "shop",
                        "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/s"},
                    }
                }
            ]
        },
        "serviceaccount/shop/shop",
        Verdict.FAIL,
    ),
    (
        {
            "StorageClass": [{"metadata": {"name": "gp3"}, "provisioner": "ebs.csi.aws.com"}],
            "PersistentVolumeClaim": [
                {"metadata": {"namespace": "shop", "name": "media"}, "spec": {"storageClassName": "gp3"}}
            ],
        },
        "persistentvolumeclaim/shop/media",
        Verdict.FAIL,
    ),
    (
        {
            "Deployment": [
                deployment(
                    container(env=[{"name": "DB", "value": "mysql://u:hunter2@x.rds.amazonaws.com/shop"}])
                )
            ]
        },
        "deployment/shop/shop",
        Verdict.FAIL,
    ),
    (
        {
            "TargetGroupBinding": [{"metadata": {"namespace": "shop", "name": "t"}}],
        },
        "targetgroupbinding/shop/t",
        Verdict.FAIL,
    ),
]


@pytest.mark.parametrize(("objects", "subject", "expected"), AWS_ONLY, ids=lambda v: str(v)[:30])
def test_what_works_at_aws_alone_is_found(
    objects: dict[str, Any], subject: str, expected: Verdict, tmp_path: Path
) -> None:
    kinds = [("v1", "Pod"), ("elbv2.k8s.aws/v1beta1", "TargetGroupBinding")]
    kube = FakeKube({"Deployment": [deployment()], **objects}, kinds)
    found = findings(wl_aws.CHECK, tmp_path, kube)
    assert [(each.subject, each.verdict) for each in found] == [(subject, expected)]
    assert "hunter2" not in found[0].observed


def test_ordinary_annotations_and_names_are_not_taken_for_aws(tmp_path: Path) -> None:
    annotations = {"prometheus.io/scrape": "true", "example.org/lawsuit": "no", "kubernetes.io/flaws": "none"}
    found = verdicts(
        wl_aws.CHECK, tmp_path, Deployment=[deployment()], Service=[service(annotations=annotations)]
    )
    assert found == {"namespace/shop": Verdict.PASS}
