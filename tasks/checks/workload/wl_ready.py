"""WL-READY: what a Service sends traffic to has a readiness probe.

In iptables mode a connection to a pod that is not ready fails; nothing tries another one (source article,
point 3), so a pod without the probe gets traffic before it can answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload as Context
from tasks.checks.registry import Check
from tasks.checks.workload.workloads import Workload, elsewhere, finding, moved, services_of, workloads

_EXPECTED = "every workload has a readiness probe, and must have one where a Service sends traffic to it"
_REMEDY = "give the container a readinessProbe that asks what the shop needs to answer"


def _run(context: Context) -> Iterator[Finding]:
    found, evidence = workloads(context)
    services = context.source.list("v1", "Service")
    ours, others = moved(context, found)
    for each in ours:
        backed = services_of(each, services)
        lacking = _lacking(each)
        if not backed:
            said = "no Service sends traffic to it" + (", and it has no readiness probe" if lacking else "")
            verdict = Verdict.WARN if lacking else Verdict.PASS
            yield finding("WL-READY", each.subject, verdict, said, _EXPECTED, evidence, _REMEDY)
        elif lacking:
            said = (
                f"behind the Service {', '.join(backed)} and without a readiness probe: {', '.join(lacking)}"
            )
            yield finding("WL-READY", each.subject, Verdict.FAIL, said, _EXPECTED, evidence, _REMEDY)
        else:
            said = f"behind the Service {', '.join(backed)}, with a readiness probe"
            yield finding("WL-READY", each.subject, Verdict.PASS, said, _EXPECTED, evidence)
    without = [each.subject for each in others if _lacking(each)]
    yield from elsewhere("WL-READY", without, _EXPECTED, evidence)


def _lacking(workload: Workload) -> list[str]:
    """A pod is ready when all of its containers are: it is enough that one of them is asked.

    A pod with a probe on its sidecar alone is ready before the program behind the port, so containers with
    ports are the ones that count; where none declares a port, one probe of the pod is enough.
    """
    containers = workload.containers()
    with_ports = [each for each in containers if each.get("ports")]
    if with_ports:
        return [str(each["name"]) for each in with_ports if not each.get("readinessProbe")]
    return (
        [] if any(each.get("readinessProbe") for each in containers) else [str(c["name"]) for c in containers]
    )


CHECK = Check(
    "WL-READY", "what a Service sends traffic to has a readiness probe", "workload", Severity.HIGH, _run
)
