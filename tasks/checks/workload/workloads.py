"""The workloads of a cluster, as the checks of this folder read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload as Context
from tasks.checks.evidence import observed

KINDS = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
)
NAMED_AT_MOST = 8


@dataclass(frozen=True)
class Workload:
    """One workload: `pod` is the spec of its pods, `labels` are theirs."""

    kind: str
    namespace: str
    name: str
    replicas: int | None  # None where the kind has no such number
    labels: Mapping[str, str]
    pod: Mapping[str, Any]

    @property
    def subject(self) -> str:
        """`deployment/shop/shop`."""
        return f"{self.kind.lower()}/{self.namespace}/{self.name}"

    def containers(self, *, with_init: bool = False) -> list[Mapping[str, Any]]:
        """Its containers; those that run first and end only where asked for.

        An init container that restarts always is a sidecar, and counts as a container.
        """
        first = self.pod.get("initContainers") or ()
        sidecars = [each for each in first if each.get("restartPolicy") == "Always"]
        return [*(first if with_init else sidecars), *(self.pod.get("containers") or ())]


def workloads(context: Context) -> tuple[list[Workload], Evidence]:
    """Every workload that nobody else owns, in all namespaces, and the evidence of having looked.

    Raises Denied, ServiceFailed, HostUnreachable: a kind that cannot be listed is not an absent one.
    """
    found = []
    for api_version, kind in KINDS:
        found += [(kind, each) for each in context.source.list(api_version, kind)]
    made = [_workload(kind, each) for kind, each in found if not _owned(each)]
    raw = json.dumps([each for _, each in found], sort_keys=True, default=str)
    source = f"{context.source.name}: list {', '.join(kind for _, kind in KINDS)}"
    return sorted(made, key=lambda w: w.subject), observed(context.clock, source, raw)


def moved(context: Context, found: Sequence[Workload]) -> tuple[list[Workload], list[Workload]]:
    """Those of the namespaces that move, and the others."""
    names = set(context.site.workload.namespaces)
    return [w for w in found if w.namespace in names], [w for w in found if w.namespace not in names]


def services_of(workload: Workload, services: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the Services that send traffic to it."""
    return sorted(
        str(each["metadata"]["name"])
        for each in services
        if each["metadata"].get("namespace") == workload.namespace and _selects(each, workload.labels)
    )


def _selects(service: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    selector: Mapping[str, str] = (service.get("spec") or {}).get("selector") or {}
    return bool(selector) and selector.items() <= dict(labels).items()


def finding(
    code: str, subject: str, verdict: Verdict, said: str, expected: str, evidence: Evidence, remedy: str = ""
) -> Finding:
    """A finding of this group."""
    return Finding(
        code=code,
        subject=subject,
        verdict=verdict,
        observed=said,
        expected=expected,
        evidence=(evidence,),
        remedy=remedy,
        severity=Severity.HIGH if code in ("WL-READY", "WL-AWS") else Severity.MEDIUM,
    )


def elsewhere(code: str, subjects: Sequence[str], expected: str, evidence: Evidence) -> Iterator[Finding]:
    """One warning for what was found in namespaces that stay."""
    if subjects:
        more = len(subjects) - NAMED_AT_MOST
        names = ", ".join(subjects[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
        said = f"outside of the namespaces that move: {names}"
        remedy = "nothing to do for this exit"
        yield finding(code, "other-namespaces", Verdict.WARN, said, expected, evidence, remedy)


def _owned(found: Mapping[str, Any]) -> bool:
    return any(owner.get("controller") for owner in found["metadata"].get("ownerReferences") or ())


def _workload(kind: str, found: Mapping[str, Any]) -> Workload:
    spec = found.get("spec") or {}
    if kind == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template") or {}
    # The API server's default of an absent number is 1.
    replicas = int(spec.get("replicas", 1)) if kind in ("Deployment", "StatefulSet") else None
    return Workload(
        kind=kind,
        namespace=str(found["metadata"].get("namespace", "")),
        name=str(found["metadata"]["name"]),
        replicas=replicas,
        labels=(template.get("metadata") or {}).get("labels") or {},
        pod=template.get("spec") or {},
    )
