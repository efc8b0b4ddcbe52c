"""DAT-05: the images of the target's pods come from the target's registry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.observation import named, text_of

_LISTS = ("initContainers", "containers", "ephemeralContainers")


def _run(context: Residency) -> Iterator[Finding]:
    kube, registry = context.target, context.site.target.registry.address
    pods = kube.list("v1", "Pod")
    used: dict[str, set[str]] = defaultdict(set)
    moved = set(context.site.workload.namespaces)
    counted = 0
    for pod in pods:
        namespace = str(pod["metadata"].get("namespace", ""))
        counted += namespace in moved
        for image in _images(pod):
            if not image.startswith(f"{registry}/"):
                used[namespace].add(image)
    raw = text_of({str(p["metadata"].get("name")): sorted(_images(p)) for p in pods})
    evidence = (observed(context.clock, f"{kube.name}: list v1 Pod (images)", raw),)
    for namespace in sorted(moved | set(used)):
        foreign = sorted(used[namespace])
        verdict, said = _judged(namespace in moved, foreign, counted)
        yield Finding(
            code="DAT-05",
            subject=f"namespace/{namespace}",
            verdict=verdict,
            observed=said,
            expected=f"every image comes from {registry}",
            evidence=evidence,
            remedy="" if verdict is Verdict.PASS else "safe-harbor move: it copies images and rewrites names",
            severity=Severity.MEDIUM,
        )


def _judged(is_moved: bool, foreign: list[str], moved_pods: int) -> tuple[Verdict, str]:
    if not is_moved:
        # Programs of the cluster itself; shown, because a node that is built anew would pull them again.
        return Verdict.WARN, f"images of other registries: {named(foreign)}"
    if foreign:
        return Verdict.FAIL, f"images of other registries: {named(foreign)}"
    if not moved_pods:
        return Verdict.NODATA, "no pod of the moved namespaces runs at the target"
    return Verdict.PASS, f"the images of {moved_pods} pods come from the target's registry"


def _images(pod: dict[str, Any]) -> set[str]:
    spec = pod.get("spec") or {}
    return {str(each.get("image", "")) for which in _LISTS for each in spec.get(which) or ()}


CHECK = Check(
    "DAT-05",
    "the images of the target's pods come from the target's registry",
    "residency",
    Severity.MEDIUM,
    _run,
)
