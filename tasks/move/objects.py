"""Moves the objects of namespaces from one cluster to another: read, strip, map, order, apply, wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.drivers.errors import Denied, ServiceFailed
from tasks.drivers.ports import Clock, Kube
from tasks.move.endpoints import Address, addresses, slice_manifest, slices
from tasks.move.order import in_order
from tasks.move.strip import Dropped, Object, left_behind, stripped, subject_of, templates

POD_MAKERS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True)
class Mapped:
    """What is different at the target.

    `images`: a workload's image -> the one at the target's registry. `values`: the value of a ConfigMap's key
    or an environment variable of this name. `storage_classes`: old -> new. `endpoints`: where a Service
    without selector (`NAMESPACE/NAME`) leads to at first.
    """

    images: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict)
    storage_classes: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, Address] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectPlan:
    """Objects in the order of applying; never shown, because Secrets are among them."""

    objects: tuple[Object, ...] = field(repr=False)
    dropped: tuple[Dropped, ...]
    mapped: tuple[str, ...]  # one sentence for each value that is different at the target


@dataclass(frozen=True)
class Applied:
    """What applying did, by `Kind namespace/name`."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


def read_objects(source: Kube, namespaces: Sequence[str]) -> list[Object]:
    """Every object of these namespaces, of every kind that the server lists, and the namespaces themselves;
    with them the ClusterRoles that their RoleBindings name, and the PriorityClasses of their pods.

    Raises ServiceFailed where a namespace is missing, Denied where a kind may not be read.
    """
    found: list[Object] = []
    for name in namespaces:
        namespace = source.get("v1", "Namespace", name)
        if namespace is None:
            raise ServiceFailed(source.name, f"has no namespace {name}", "see workload.namespaces")
        found.append(namespace | {"apiVersion": "v1", "kind": "Namespace"})
    for api_version, kind in source.kinds():
        for one in source.list(api_version, kind):
            if one["metadata"].get("namespace") in namespaces:
                # A list's items may come without their kind.
                found.append(one | {"apiVersion": api_version, "kind": kind})
    wanted = {
        ("rbac.authorization.k8s.io/v1", "ClusterRole", str(one["roleRef"]["name"]))
        for one in found
        if one["kind"] == "RoleBinding" and one["roleRef"]["kind"] == "ClusterRole"
    } | {
        ("scheduling.k8s.io/v1", "PriorityClass", str(template["spec"]["priorityClassName"]))
        for one in found
        for template in templates(one)
        if template["spec"].get("priorityClassName")
    }
    for api_version, kind, name in sorted(wanted):
        needed = source.get(api_version, kind, name)
        labels = (needed or {}).get("metadata", {}).get("labels") or {}
        if needed and "kubernetes.io/bootstrapping" not in labels and not name.startswith("system"):
            found.append(needed | {"apiVersion": api_version, "kind": kind})
    return found


def plan_objects(found: Sequence[Object], mapped: Mapped) -> ObjectPlan:
    """What to apply at the target. Pure.

    Raises ServiceFailed where an image or a Service without selector has no place at the target.
    """
    objects: list[Object] = []
    dropped: list[Dropped] = []
    notes: list[str] = []
    for one in found:
        reason = left_behind(one)
        if reason:
            dropped.append(Dropped(subject_of(one), "", reason))
            continue
        new, fields = stripped(one)
        dropped.extend(fields)
        notes.extend(_map(new, mapped))
        objects.append(new)
        if new["kind"] == "Service" and not (new.get("spec") or {}).get("selector"):
            if new["spec"].get("type") == "ExternalName":
                continue
            objects.append(_slice(new, mapped, notes))
    return ObjectPlan(tuple(in_order(objects)), tuple(dropped), tuple(notes))


def _slice(service: Object, mapped: Mapped, notes: list[str]) -> Object:
    namespace, name = str(service["metadata"]["namespace"]), str(service["metadata"]["name"])
    address = mapped.endpoints.get(f"{namespace}/{name}")
    if address is None:
        raise ServiceFailed(
            f"service {namespace}/{name}",
            "has no selector, and the site file does not say where it leads to",
            "declare it (workload.database_read, workload.database_primary) or give it a selector",
        )  # fmt: skip
    notes.append(f"EndpointSlice {namespace}/{name}: leads to {address}")
    manifest = slice_manifest(namespace, name, address, f"{name}-1")
    manifest["ports"][0]["name"] = str(service["spec"]["ports"][0].get("name") or "")
    return manifest


def _map(new: Object, mapped: Mapped) -> list[str]:
    notes = []
    subject = subject_of(new)
    if new["kind"] == "ConfigMap":
        data = new.get("data") or {}
        for key in sorted(set(data) & set(mapped.values)):
            if data[key] != mapped.values[key]:
                notes.append(f"{subject}: {key}: {data[key]} -> {mapped.values[key]}")
                data[key] = mapped.values[key]
    for template in templates(new):
        spec = template["spec"]
        for group in ("initContainers", "containers", "ephemeralContainers"):
            for container in spec.get(group) or []:
                notes.extend(_map_container(subject, container, mapped))
    claims = [new] if new["kind"] == "PersistentVolumeClaim" else []
    claims += (
        (new.get("spec") or {}).get("volumeClaimTemplates") or [] if new["kind"] == "StatefulSet" else []
    )
    for claim in claims:
        old = claim["spec"].get("storageClassName")
        if old in mapped.storage_classes:
            claim["spec"]["storageClassName"] = mapped.storage_classes[old]
            notes.append(f"{subject}: storage class {old} -> {mapped.storage_classes[old]}")
        claim.pop("status", None)
    return notes


def _map_container(subject: str, container: dict[str, Any], mapped: Mapped) -> list[str]:
    notes = []
    old = str(container["image"])
    if old not in mapped.images:
        raise ServiceFailed(subject, f"its image {old} was not moved", "move images before objects")
    if mapped.images[old] != old:
        notes.append(f"{subject}: {container['name']}: image {old} -> {mapped.images[old]}")
        container["image"] = mapped.images[old]
    for variable in container.get("env") or []:
        wanted = mapped.values.get(str(variable["name"]))
        if wanted is not None and "value" in variable and variable["value"] != wanted:
            notes.append(f"{subject}: env {variable['name']}: {variable['value']} -> {wanted}")
            variable["value"] = wanted
    return notes


def apply_objects(
    plan: ObjectPlan,
    target: Kube,
    *,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Applied:
    """Apply in order. A Service that leads somewhere already keeps it: the changeover says where to, not we.

    Raises ServiceFailed or Denied, naming the object; what was applied before it stays, and a second run
    goes on.
    """
    changed: list[str] = []
    unchanged: list[str] = []
    for done, one in enumerate(plan.objects, 1):
        subject = subject_of(one)
        (changed if _apply(target, one) else unchanged).append(subject)
        on_progress(subject, done, len(plan.objects))
    return Applied(tuple(changed), tuple(unchanged))


def object_changes(plan: ObjectPlan, target: Kube) -> tuple[str, ...]:
    """What `apply_objects` would do, `create ...` or `change ...` for each object that is not so already.

    The target's API server is asked to try each and to store none. What lies in a namespace that is not there
    yet it cannot try: that is taken as to be created. Raises as `apply_objects` does.
    """
    changes = []
    absent: set[str] = set()
    for one in plan.objects:
        metadata = one["metadata"]
        namespace, name = metadata.get("namespace"), metadata["name"]
        there = namespace not in absent and target.get(
            one["apiVersion"], one["kind"], name, namespace=namespace
        )
        if one["kind"] == "Namespace" and not there:
            absent.add(name)
        if namespace in absent or _apply(target, one, dry_run=True):
            changes.append(f"{'change' if there else 'create'} {subject_of(one)}")
    return tuple(changes)


def _apply(target: Kube, one: Object, *, dry_run: bool = False) -> bool:
    """Whether the object was, or would be, altered. Raises ServiceFailed or Denied, naming it."""
    try:
        return not _leads_already(target, one) and target.apply(one, dry_run=dry_run)
    except (ServiceFailed, Denied) as error:
        raise type(error)(error.part, f"{subject_of(one)}: {error.what}", error.remedy) from error


def _leads_already(target: Kube, one: Object) -> bool:
    if one["kind"] != "EndpointSlice":
        return False
    metadata = one["metadata"]
    service = metadata["labels"]["kubernetes.io/service-name"]
    return bool(addresses(slices(target, metadata["namespace"], service)))


def missing_replicas(one: Object) -> int:
    """How many replicas of a workload are not available yet, or 1 where its controller has not seen it."""
    spec, status = one.get("spec") or {}, one.get("status") or {}
    if int(status.get("observedGeneration", 0)) < int(one["metadata"].get("generation", 0)):
        return max(1, int(spec.get("replicas", 1)))
    if one["kind"] == "DaemonSet":
        return int(status.get("desiredNumberScheduled", 0)) - int(status.get("numberAvailable", 0))
    wanted = int(spec.get("replicas", 1))
    updated = int(status.get("updatedReplicas", 0))
    available = int(status.get("availableReplicas", 0))
    return max(0, wanted - min(updated, available))


def wait_available(
    target: Kube,
    namespaces: Sequence[str],
    clock: Clock,
    *,
    within_s: float = 180.0,
    on_progress: Callable[[str], None] = lambda _: None,
) -> int:
    """Wait until every workload of the namespaces has all its replicas; how many workloads there are.

    Raises ServiceFailed, with the reason that the pods give, where they do not come up in time.
    """
    deadline = clock.now().timestamp() + within_s
    while True:
        workloads = [
            one | {"kind": kind}
            for kind in POD_MAKERS
            for namespace in namespaces
            for one in target.list("apps/v1", kind, namespace=namespace)
        ]
        waiting = {subject_of(one): missing_replicas(one) for one in workloads if missing_replicas(one)}
        if not waiting:
            return len(workloads)
        on_progress(", ".join(f"{subject}: {count} not available" for subject, count in waiting.items()))
        if clock.now().timestamp() > deadline:
            raise ServiceFailed(
                target.name,
                f"not available after {within_s:.0f} s: {', '.join(sorted(waiting))}"
                + (f" ({trouble})" if (trouble := _pod_trouble(target, namespaces)) else ""),
                "kubectl describe pods shows why; run `move` again once it is mended",
            )
        clock.sleep(0.5)


def _pod_trouble(target: Kube, namespaces: Sequence[str]) -> str:
    for namespace in namespaces:
        for pod in target.list("v1", "Pod", namespace=namespace):
            for state in (pod.get("status") or {}).get("containerStatuses") or []:
                waiting = (state.get("state") or {}).get("waiting")
                if waiting:
                    text = f"{pod['metadata']['name']}: {waiting.get('reason')} {waiting.get('message', '')}"
                    return text.strip()[:300]
    return ""


def mentions(plan: ObjectPlan, words: Sequence[str]) -> tuple[str, ...]:
    """Where the planned objects still name one of these words (the old registry, `amazonaws.com`), Secrets
    left out: one `Kind namespace/name: path` a place."""
    found = []
    for one in plan.objects:
        if one["kind"] != "Secret":
            found += [f"{subject_of(one)}: {path}" for path, text in _texts(one, "") if _names(text, words)]
    return tuple(found)


def _names(text: str, words: Sequence[str]) -> bool:
    return any(word in text for word in words)


def _texts(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [hit for key, inner in value.items() for hit in _texts(inner, f"{path}.{key}".lstrip("."))]
    if isinstance(value, list):
        return [hit for number, inner in enumerate(value) for hit in _texts(inner, f"{path}[{number}]")]
    return [(path, value)] if isinstance(value, str) else []
