"""DAT-05: the images of the target's pods come from the target's registry, and by no undeclared mirror.

Mirrors are what containerd's files on the nodes say: a proxy that stands in the way unseen is NET-01's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict, worst
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, on_hosts
from tasks.checks.residency.destination import UNKNOWN_REMEDY, whose
from tasks.checks.residency.observation import host_of, named, text_of
from tasks.facts import registry_mirrors
from tasks.facts.registry_mirrors import Mirrors

_LISTS = ("initContainers", "containers", "ephemeralContainers")
_CACHES = Control("DAT-05", Severity.MEDIUM, "every mirror is the site's own or a declared company's")


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
    yield from _mirrors(context)


def _mirrors(context: Residency) -> Iterator[Finding]:
    """Pull-through caches, as containerd is told of them on each node."""

    def judge(subject: str, fact: Mirrors, evidence: Evidence) -> Finding:
        judged = []
        for each in fact.mirrors:
            verdict, said = whose(context, host_of(each.host))
            judged.append((verdict, f"images of {each.registry} are asked of {each.host}: {said}"))
        judged += [(Verdict.NODATA, f"mirrors in {folder} were not read") for folder in fact.unread]
        if not judged:
            return _CACHES.finding(subject, Verdict.PASS, "containerd is told of no mirror", (evidence,))
        verdict, said = worst(each for each, _ in judged), "; ".join(text for _, text in judged)
        return _CACHES.finding(subject, verdict, said, (evidence,), UNKNOWN_REMEDY)

    # config.toml may hold passwords of registries: what was read of it is the evidence.
    yield from on_hosts(
        context, _CACHES, registry_mirrors.ask(), judge, shown=lambda fact: text_of(asdict(fact))
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
    "the images of the target's pods come from the target's registry, and by no undeclared mirror",
    "residency",
    Severity.MEDIUM,
    _run,
)
