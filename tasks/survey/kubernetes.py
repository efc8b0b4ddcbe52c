"""Everything that a cluster's API lists. Of ConfigMaps and Secrets the names alone are kept.

Values of annotations are never kept either: the last-applied one of a Secret repeats its content.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inventory.models.resource import Coverage, CoverageStatus, Resource
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Kube
from tasks.survey.surveyor import MESSAGE_CHARS, status_of

SERVICE = "kubernetes"
NAMES_ONLY = frozenset({"ConfigMap", "Secret"})
TRANSIENT = frozenset({"Event", "Lease"})  # counted, not kept: they come and go by the second
_POD_TEMPLATE = ("spec", "template", "spec")


def survey_cluster(kube: Kube) -> tuple[list[Resource], list[Coverage]]:
    """What the cluster has, and how complete that is; one row of coverage for each kind."""
    try:
        kinds = kube.kinds()
    except OutsideError as error:
        return [], [_row(kube, "discover", status_of(error), 0, str(error))]
    resources: list[Resource] = []
    coverage = [_row(kube, "discover", CoverageStatus.OK if kinds else CoverageStatus.EMPTY, len(kinds))]
    for api_version, kind in kinds:
        operation = f"list {api_version} {kind}"
        try:
            found = kube.list(api_version, kind)
        except OutsideError as error:
            coverage.append(_row(kube, operation, status_of(error), 0, str(error)))
            continue
        status = CoverageStatus.OK if found else CoverageStatus.EMPTY
        coverage.append(_row(kube, operation, status, len(found)))
        if kind not in TRANSIENT:
            resources += [_resource(kube, api_version, kind, each) for each in found]
    return resources, coverage


def _row(kube: Kube, operation: str, status: CoverageStatus, count: int, message: str = "") -> Coverage:
    return Coverage(
        service=SERVICE,
        region=kube.name,
        operation=operation,
        status=status,
        count=count,
        message=message[:MESSAGE_CHARS],
    )


def _resource(kube: Kube, api_version: str, kind: str, found: Mapping[str, Any]) -> Resource:
    metadata = found.get("metadata") or {}
    namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
    attributes: dict[str, Any] = {"api_version": api_version, "namespace": namespace}
    labels: dict[str, str] = {}
    if kind not in NAMES_ONLY:
        labels = {str(key): str(value) for key, value in (metadata.get("labels") or {}).items()}
        attributes["annotations"] = sorted(metadata.get("annotations") or ())
        attributes |= _read(kind, found)
    return Resource(
        service=SERVICE,
        region=kube.name,
        kind=kind,
        id="/".join(part for part in (api_version, kind, namespace, name) if part),
        name=name,
        tags=labels,
        attributes=attributes,
    )


def _read(kind: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What later stages read of a kind."""
    spec: Mapping[str, Any] = found.get("spec") or {}
    if kind == "Pod":
        phase = (found.get("status") or {}).get("phase", "")
        return {"images": list(_images(spec)), "node": spec.get("nodeName", ""), "phase": phase}
    if kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"):
        template: Any = found
        for step in _POD_TEMPLATE:
            template = template.get(step) or {}
        return {"images": list(_images(template)), "replicas": spec.get("replicas")}
    if kind == "Service":
        return {"type": spec.get("type", ""), "selector": bool(spec.get("selector"))}
    if kind == "PersistentVolume":
        capacity = (spec.get("capacity") or {}).get("storage", "")
        claim = spec.get("claimRef") or {}
        return {
            "storage": capacity,
            "class": spec.get("storageClassName", ""),
            "claim": "/".join(str(claim[key]) for key in ("namespace", "name") if claim.get(key)),
            "driver": (spec.get("csi") or {}).get("driver", ""),
        }
    if kind == "StorageClass":
        return {"provisioner": found.get("provisioner", "")}
    if kind == "Node":
        addresses = (found.get("status") or {}).get("addresses") or ()
        return {"addresses": [str(each.get("address", "")) for each in addresses]}
    return {}


def _images(pod_spec: Mapping[str, Any]) -> Iterator[str]:
    for which in ("initContainers", "containers"):
        for container in pod_spec.get(which) or ():
            yield str(container.get("image", ""))
