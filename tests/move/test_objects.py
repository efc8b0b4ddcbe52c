"""Real objects, planned for another cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.drivers.errors import Denied, ServiceFailed
from tasks.drivers.ports import Json
from tasks.move.endpoints import Address, addresses, point, slices
from tasks.move.objects import (
    Mapped,
    apply_objects,
    mentions,
    missing_replicas,
    object_changes,
    plan_objects,
    read_objects,
    wait_available,
)
from tasks.move.strip import subject_of
from tests.move.local import WallClock
from tests.move.plain_kube import PlainKube
from tests.move.test_strip import made, recorded

OLD = "198.18.0.12:5000/fjordshop/shop:1.4.2"
NEW = "10.60.0.11:5000/fjordshop/shop:1.4.2@sha256:" + "ab" * 32
OSLO, RDS = Address("10.60.0.11", 3306), Address("198.18.0.11", 3306)
MAPPED = Mapped(
    images={OLD: NEW},
    values={"SITE": "oslo", "MEDIA_URL": "https://10.60.0.11:9000/fjordshop-media"},
    endpoints={"shop/db-read": OSLO, "shop/db-primary": RDS},
)


def test_what_is_different_at_the_target_and_nothing_else() -> None:
    plan = plan_objects(recorded(), MAPPED)
    by_kind = {(one["kind"], one["metadata"]["name"]): one for one in plan.objects}
    assert by_kind["ConfigMap", "shop"]["data"]["SITE"] == "oslo"
    assert by_kind["ConfigMap", "shop"]["data"]["MEDIA_URL"] == MAPPED.values["MEDIA_URL"]
    assert by_kind["ConfigMap", "shop"]["data"]["DB_USER"] == "shop"
    (container,) = by_kind["Deployment", "shop"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == NEW
    assert addresses([by_kind["EndpointSlice", "db-read-1"]]) == {"10.60.0.11:3306"}
    assert addresses([by_kind["EndpointSlice", "db-primary-1"]]) == {"198.18.0.11:3306"}
    service = by_kind["Service", "db-read"]
    assert by_kind["EndpointSlice", "db-read-1"]["ports"][0]["name"] == service["spec"]["ports"][0]["name"]
    assert len(plan.mapped) == 5
    assert mentions(plan, ["198.18.0.12", "10.40.0."]) == ()


def test_services_come_before_what_starts_pods() -> None:
    kinds = [one["kind"] for one in plan_objects(recorded(), MAPPED).objects]
    assert kinds[0] == "Namespace"
    assert (
        kinds.index("Secret") < kinds.index("ConfigMap") < kinds.index("Service") < kinds.index("Deployment")
    )
    assert kinds.index("EndpointSlice") < kinds.index("Deployment")


def test_a_secret_is_carried_over_and_never_shown() -> None:
    plan = plan_objects(recorded(), MAPPED)
    (secret,) = [one for one in plan.objects if one["kind"] == "Secret"]
    assert secret["data"] == {"ca.crt": "aW52ZW50ZWQ=", "password": "aW52ZW50ZWQ="}
    assert "aW52ZW50ZWQ" not in repr(plan)
    assert mentions(plan, ["aW52ZW50ZWQ"]) == ()


def test_a_second_run_changes_nothing_and_the_changeover_is_kept() -> None:
    plan, target = plan_objects(recorded(), MAPPED), PlainKube("oslo")
    would = object_changes(plan, target)
    assert {each.partition(" ")[0] for each in would} == {"create"}
    assert target.stored == {}
    first = apply_objects(plan, target)
    assert (len(first.changed), first.unchanged) == (len(plan.objects), ())
    assert [each.partition(" ")[2] for each in would] == list(first.changed)
    assert object_changes(plan, target) == ()
    assert apply_objects(plan, target).changed == ()
    point(target, "shop", "db-primary", OSLO)
    assert apply_objects(plan, target).changed == ()
    assert addresses(slices(target, "shop", "db-primary")) == {"10.60.0.11:3306"}


def test_a_plan_tells_what_is_changed_from_what_is_created() -> None:
    plan, target = plan_objects(recorded(), MAPPED), PlainKube("oslo")
    apply_objects(plan, target)
    (namespace, *_, workload) = plan.objects
    target.stored[PlainKube.key(workload)]["metadata"]["labels"] = {"edited": "by hand"}
    assert object_changes(plan, target) == (f"change {subject_of(workload)}",)
    assert apply_objects(plan, target).changed == (subject_of(workload),)
    assert namespace["kind"] == "Namespace"


def test_what_lies_in_a_namespace_that_is_not_there_is_not_tried() -> None:
    class Strict(PlainKube):
        """As an API server: nothing can be tried in a namespace that is not there."""

        def apply(self, manifest: Json, *, dry_run: bool = False) -> bool:
            namespace = manifest["metadata"].get("namespace")
            if namespace and self.get("v1", "Namespace", namespace) is None:
                raise ServiceFailed(self.name, f"namespaces {namespace!r} not found")
            return super().apply(manifest, dry_run=dry_run)

    plan = plan_objects(recorded(), MAPPED)
    assert len(object_changes(plan, Strict("oslo"))) == len(plan.objects)


def test_an_image_that_was_not_moved_is_an_error() -> None:
    with pytest.raises(ServiceFailed, match="was not moved"):
        plan_objects(recorded(), Mapped(images={}, endpoints=MAPPED.endpoints))


def test_a_service_without_selector_needs_an_address() -> None:
    with pytest.raises(ServiceFailed, match=r"db-primary.*no selector"):
        plan_objects(recorded(), Mapped(images={OLD: NEW}, endpoints={"shop/db-read": OSLO}))


def test_storage_classes_and_environment_are_mapped() -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"storageClassName": "gp3"},
        "status": {"phase": "Pending"},
    }
    container = {
        "name": "c",
        "image": "i",
        "env": [{"name": "SITE", "value": "aws"}, {"name": "SITE2", "value": "aws"}],
    }
    one = made(
        "StatefulSet", "apps/v1",
        spec={"volumeClaimTemplates": [claim], "template": {"spec": {"containers": [container]}}},
    )  # fmt: skip
    plan = plan_objects([one], Mapped({"i": "i"}, {"SITE": "oslo"}, {"gp3": "local"}))
    spec = plan.objects[0]["spec"]
    assert spec["volumeClaimTemplates"][0] == {
        "metadata": {"name": "data"},
        "spec": {"storageClassName": "local"},
    }
    assert [one["value"] for one in spec["template"]["spec"]["containers"][0]["env"]] == ["oslo", "aws"]
    assert len(plan.mapped) == 2


def test_what_still_names_the_old_side_is_found() -> None:
    one = made("ConfigMap", data={"URL": "https://x.s3.amazonaws.com/a", "OTHER": "fine"})
    plan = plan_objects([one], Mapped({}))
    assert mentions(plan, ["amazonaws.com"]) == ("ConfigMap shop/x: data.URL",)


def test_all_kinds_of_the_namespaces_are_read_with_what_they_need() -> None:
    binding = made(
        "RoleBinding", "rbac.authorization.k8s.io/v1", roleRef={"kind": "ClusterRole", "name": "shop-reader"}
    )
    default = made(
        "RoleBinding",
        "rbac.authorization.k8s.io/v1",
        metadata={"name": "y"},
        roleRef={"kind": "ClusterRole", "name": "view"},
    )
    role: dict[str, Any] = made(
        "ClusterRole", "rbac.authorization.k8s.io/v1", metadata={"name": "shop-reader"}
    )
    view: dict[str, Any] = made(
        "ClusterRole",
        "rbac.authorization.k8s.io/v1",
        metadata={"name": "view", "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
    )
    for one in (role, view):
        del one["metadata"]["namespace"]
    elsewhere = made("ConfigMap", metadata={"namespace": "legacy"})
    source = PlainKube("aws", *recorded(), binding, default, role, view, elsewhere)
    found = {(one["kind"], one["metadata"]["name"]) for one in read_objects(source, ["shop"])}
    assert {("Namespace", "shop"), ("Deployment", "shop"), ("ClusterRole", "shop-reader")} <= found
    assert ("ClusterRole", "view") not in found
    assert ("ConfigMap", "x") not in found


def test_a_namespace_that_is_missing_is_named() -> None:
    with pytest.raises(ServiceFailed, match="no namespace shop"):
        read_objects(PlainKube("aws"), ["shop"])


def test_an_object_that_is_refused_is_named() -> None:
    class Refusing(PlainKube):
        def apply(self, manifest: Json, *, dry_run: bool = False) -> bool:
            if manifest["kind"] == "Secret":
                raise Denied("oslo", "secrets is forbidden")
            return super().apply(manifest, dry_run=dry_run)

    with pytest.raises(Denied, match="Secret shop/shop-database: secrets is forbidden"):
        apply_objects(plan_objects(recorded(), MAPPED), Refusing("oslo"))


def deployment(**status: int) -> dict[str, Any]:
    return made("Deployment", "apps/v1", metadata={"generation": 2}, spec={"replicas": 3}, status=status)


@pytest.mark.parametrize(
    ("status", "missing"),
    [
        ({"observedGeneration": 2, "updatedReplicas": 3, "availableReplicas": 3}, 0),
        ({"observedGeneration": 2, "updatedReplicas": 3, "availableReplicas": 1}, 2),
        ({"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 3}, 2),
        ({"observedGeneration": 1, "updatedReplicas": 3, "availableReplicas": 3}, 3),
        ({}, 3),
    ],
)
def test_replicas_that_are_missing(status: dict[str, int], missing: int) -> None:
    assert missing_replicas(deployment(**status)) == missing


def test_waiting_ends_with_the_reason_that_the_pods_give() -> None:
    pod = made("Pod", status={"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]})
    kube = PlainKube("oslo", deployment(observedGeneration=2), pod)
    with pytest.raises(ServiceFailed, match=r"Deployment shop/x \(x: ImagePullBackOff\)"):
        wait_available(kube, ["shop"], WallClock(), within_s=0)
    ready = PlainKube("oslo", deployment(observedGeneration=2, updatedReplicas=3, availableReplicas=3))
    assert wait_available(ready, ["shop"], WallClock()) == 1
