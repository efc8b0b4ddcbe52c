"""WL-AWS: what works at AWS alone: annotations, roles, storage classes, custom resources, addresses.

An annotation for AWS's load balancer means nothing elsewhere, and is stripped when the object moves: a
warning. A role, a storage class, a custom resource or an address of AWS leaves the workload without what it
needs, or with a tie that stays: a failure, in the namespaces that move.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload as Context
from tasks.checks.registry import Check
from tasks.checks.workload.workloads import Workload, elsewhere, finding, moved, workloads

_EXPECTED = "nothing that works at AWS alone"
_ROLE = "eks.amazonaws.com/role-arn"
_ANNOTATION = re.compile(r"(^|[./-])(aws|alb|eks)([./-]|$)|amazonaws\.com|k8s\.aws")
_HOST = re.compile(r"[a-z0-9.-]+\.amazonaws\.com", re.IGNORECASE)
_GROUP = re.compile(r"(^|\.)(k8s\.aws|aws|amazonaws\.com|karpenter\.sh)$")
_Said = tuple[str, str, Verdict, str, str]  # namespace, subject, verdict, observed, remedy


def _run(context: Context) -> Iterator[Finding]:
    found, evidence = workloads(context)
    said = [*_annotated(context), *_claims(context), *_custom(context), *_addresses(found)]
    names = set(context.site.workload.namespaces)
    inside = [each for each in said if each[0] in names]
    for _, subject, verdict, observed_there, remedy in inside:
        yield finding("WL-AWS", subject, verdict, observed_there, _EXPECTED, evidence, remedy)
    if not inside:
        yield _clean(context, found, evidence)
    outside = sorted({subject for namespace, subject, *_ in said if namespace not in names})
    yield from elsewhere("WL-AWS", outside, _EXPECTED, evidence)


def _clean(context: Context, found: list[Workload], evidence: Evidence) -> Finding:
    names = ", ".join(context.site.workload.namespaces)
    ours, _ = moved(context, found)
    verdict = Verdict.PASS if ours else Verdict.NODATA
    said = (
        f"{len(ours)} workloads and what belongs to them: nothing of AWS" if ours else "no workload is there"
    )
    remedy = "" if ours else "correct workload.namespaces in the site file"
    return finding("WL-AWS", f"namespace/{names}", verdict, said, _EXPECTED, evidence, remedy)


def _annotated(context: Context) -> Iterator[_Said]:
    for api_version, kind in (
        ("v1", "Service"),
        ("v1", "ServiceAccount"),
        ("networking.k8s.io/v1", "Ingress"),
    ):
        for each in context.source.list(api_version, kind):
            namespace, subject = _names(kind, each)
            keys = sorted(k for k in each["metadata"].get("annotations") or () if _ANNOTATION.search(k))
            if _ROLE in keys:
                remedy = "give the program what the role gave it, by a Secret for the target's services"
                yield namespace, subject, Verdict.FAIL, f"takes an AWS role by the annotation {_ROLE}", remedy
            elif keys:
                remedy = "the move strips them; say at the target's edge what they said"
                yield namespace, subject, Verdict.WARN, f"annotations for AWS: {', '.join(keys)}", remedy
            if kind == "Service" and (each.get("spec") or {}).get("type") == "LoadBalancer":
                remedy = "make it a NodePort behind the target's edge"
                said = "of the type LoadBalancer, which nobody provides at the target"
                yield namespace, subject, Verdict.WARN, said, remedy


def _claims(context: Context) -> Iterator[_Said]:
    theirs = {
        str(each["metadata"]["name"])
        for each in context.source.list("storage.k8s.io/v1", "StorageClass")
        if "aws" in str(each.get("provisioner", ""))
    }
    for each in context.source.list("v1", "PersistentVolumeClaim"):
        namespace, subject = _names("PersistentVolumeClaim", each)
        name = str((each.get("spec") or {}).get("storageClassName", ""))
        if name in theirs:
            remedy = "map the class to one of the target's, and move the volume's content"
            yield (
                namespace,
                subject,
                Verdict.FAIL,
                f"its storage class {name} makes EBS or EFS volumes",
                remedy,
            )


def _custom(context: Context) -> Iterator[_Said]:
    """Custom resources of AWS's controllers, in whatever namespace they lie."""
    for api_version, kind in context.source.kinds():
        if not _GROUP.search(api_version.partition("/")[0]) or "/" not in api_version:
            continue
        for each in context.source.list(api_version, kind):
            namespace, subject = _names(kind, each)
            remedy = "it has no controller at the target: replace what it does, and delete it"
            yield namespace, subject, Verdict.FAIL, f"a custom resource of AWS ({api_version})", remedy


def _addresses(found: list[Workload]) -> Iterator[_Said]:
    """Addresses of AWS in a container's environment and arguments; the host alone is shown."""
    for workload in found:
        for container in workload.containers(with_init=True):
            words = [*(container.get("command") or ()), *(container.get("args") or ())]
            words += [each.get("value") or "" for each in container.get("env") or ()]
            hosts = sorted({host for word in words for host in _HOST.findall(str(word))})
            if hosts:
                remedy = "give it the address of the target's service"
                said = f"the container {container.get('name')} is told to use {', '.join(hosts)}"
                yield workload.namespace, workload.subject, Verdict.FAIL, said, remedy


def _names(kind: str, found: Mapping[str, Any]) -> tuple[str, str]:
    metadata = found["metadata"]
    namespace = str(metadata.get("namespace", ""))
    return namespace, "/".join(part for part in (kind.lower(), namespace, str(metadata["name"])) if part)


CHECK = Check("WL-AWS", "nothing of the workload works at AWS alone", "workload", Severity.HIGH, _run)
