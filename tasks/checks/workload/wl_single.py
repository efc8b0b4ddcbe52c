"""WL-SINGLE: more than one replica, so that one pod's end is not an outage."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload as Context
from tasks.checks.registry import Check
from tasks.checks.workload.workloads import elsewhere, finding, moved, workloads

_EXPECTED = "two replicas or more"


def _run(context: Context) -> Iterator[Finding]:
    found, evidence = workloads(context)
    ours, others = moved(context, found)
    for each in ours:
        if each.replicas is None:
            said = f"a {each.kind} has no number of replicas"
            yield finding("WL-SINGLE", each.subject, Verdict.PASS, said, _EXPECTED, evidence)
            continue
        verdict = Verdict.WARN if each.replicas < 2 else Verdict.PASS
        remedy = "give it two replicas, or accept that it is away while its pod is replaced"
        said = f"{each.replicas} replica" + ("" if each.replicas == 1 else "s")
        yield finding(
            "WL-SINGLE", each.subject, verdict, said, _EXPECTED, evidence, remedy if each.replicas < 2 else ""
        )
    single = [each.subject for each in others if each.replicas is not None and each.replicas < 2]
    yield from elsewhere("WL-SINGLE", single, _EXPECTED, evidence)


CHECK = Check("WL-SINGLE", "every workload has two replicas or more", "workload", Severity.MEDIUM, _run)
