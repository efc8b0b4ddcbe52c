"""WL-GRACE: a pod behind a Service goes on answering until no node sends to it any more.

A pod that is replaced gets SIGTERM in the moment in which its endpoint is taken away, and kube-proxy's rules
on every node follow up to a second later (its minSyncPeriod), or later on a busy node. A program that has
closed its port by then refuses what still comes; neither iptables nor nftables mode tries another pod.
See runbooks/kube-proxy.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload as Context
from tasks.checks.registry import Check
from tasks.checks.workload.workloads import Workload, elsewhere, finding, moved, services_of, workloads

CODE = "WL-GRACE"
SLEEP_S = 2  # a second of kube-proxy's, and one for a busy node
_DEFAULT_GRACE_S = 30  # of a pod that does not say
_EXPECTED = f"a preStop of {SLEEP_S} s or more, and a grace period that outlasts it"
_REMEDY = (
    "give the container `lifecycle: {preStop: {sleep: {seconds: 3}}}`; where the program itself goes on "
    f"answering after SIGTERM, waive {CODE} for it with that reason"
)


def lost_at_the_end(pod: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    """Why this container of the pod refuses requests while it is replaced; empty where it does not."""
    grace_s = int(pod.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_S))
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if not hook:
        return "no preStop"
    sleep_s = (hook.get("sleep") or {}).get("seconds")
    if sleep_s is not None and sleep_s < SLEEP_S:
        return f"its preStop of {sleep_s} s is over before every node has heard"
    if grace_s <= (SLEEP_S if sleep_s is None else sleep_s):
        return f"its grace period of {grace_s} s is over with its preStop"
    return ""


def _run(context: Context) -> Iterator[Finding]:
    found, evidence = workloads(context)
    services = context.source.list("v1", "Service")
    ours, others = moved(context, found)
    for each in ours:
        backed = services_of(each, services)
        said = _said(each) if backed else ""
        verdict = Verdict.WARN if said else Verdict.PASS
        if not said:
            said = f"behind the Service {', '.join(backed)}" if backed else "no Service sends traffic to it"
        yield finding(CODE, each.subject, verdict, said, _EXPECTED, evidence, _REMEDY)
    without = [each.subject for each in others if services_of(each, services) and _said(each)]
    yield from elsewhere(CODE, without, _EXPECTED, evidence)


def _said(workload: Workload) -> str:
    """Of the containers with ports; of all, where none declares one."""
    containers = workload.containers()
    answering = [each for each in containers if each.get("ports")] or containers
    reasons = [(each["name"], lost_at_the_end(workload.pod, each)) for each in answering]
    named = "; ".join(f"{name}: {reason}" for name, reason in reasons if reason)
    return f"loses requests whenever a pod is replaced: {named}" if named else ""


CHECK = Check(CODE, "a pod answers until nobody asks it any more", "workload", Severity.MEDIUM, _run)
