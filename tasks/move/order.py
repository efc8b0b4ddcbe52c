"""The order in which objects are applied (velero's restore order; webhooks last)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

ORDER: tuple[str, ...] = (
    "CustomResourceDefinition",
    "Namespace",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ClusterRole",
    "Role",
    "ServiceAccount",
    "ClusterRoleBinding",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "LimitRange",
    "ResourceQuota",
    "PriorityClass",
    # Before anything that starts pods: a pod reads its Services from its environment at the start.
    "Service",
    "EndpointSlice",
    "Pod",
    "ReplicaSet",
)
LAST: tuple[str, ...] = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


def in_order(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted for applying: known kinds in velero's order, the rest by kind, webhooks last; then by name."""
    return sorted(objects, key=_key)


def _key(one: dict[str, Any]) -> tuple[int, str, str, str]:
    kind = str(one["kind"])
    if kind in ORDER:
        rank = ORDER.index(kind)
    elif kind in LAST:
        rank = len(ORDER) + 1 + LAST.index(kind)
    else:
        rank = len(ORDER)
    metadata = one["metadata"]
    return rank, kind, str(metadata.get("namespace", "")), str(metadata["name"])
