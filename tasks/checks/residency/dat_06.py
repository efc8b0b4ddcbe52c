"""DAT-06: logs, traces and errors of hosts and pods go to declared places only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict, worst
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, containers_of, on_hosts, pods_of
from tasks.checks.residency.destination import UNKNOWN_REMEDY, whose
from tasks.checks.residency.observation import host_of, text_of
from tasks.facts import log_sinks
from tasks.facts.log_sinks import SHIPPERS, LogSinks

_CONTROL = Control(
    "DAT-06", Severity.CRITICAL, "every sink of logs, traces and errors is the site's or declared"
)
# Environment variables that name a sink, by their makers' documentation; and those that need no address.
_ENDPOINTS = ("SENTRY_DSN", "OTEL_EXPORTER_", "LOKI_URL", "ELASTIC_APM_SERVER_URL", "SPLUNK_HEC_URL")
_HOSTED = {"DD_API_KEY": "Datadog", "NEW_RELIC_LICENSE_KEY": "New Relic", "HONEYCOMB_API_KEY": "Honeycomb"}


def _run(context: Residency) -> Iterator[Finding]:
    def judge(subject: str, fact: LogSinks, evidence: Evidence) -> Finding:
        judged = [whose(context, host_of(each)) for each in fact.forwards]
        for unit in fact.shippers:
            if company := SHIPPERS[unit]:
                judged.append((Verdict.FAIL, f"{unit} sends to {company}"))
            elif not fact.forwards:
                judged.append((Verdict.NODATA, f"{unit} runs, and where it sends to was not seen"))
        if not judged:
            return _CONTROL.finding(subject, Verdict.PASS, "nothing forwards logs", (evidence,))
        verdict = worst(each for each, _ in judged)
        return _CONTROL.finding(
            subject, verdict, "; ".join(said for _, said in judged), (evidence,), UNKNOWN_REMEDY
        )

    yield from on_hosts(context, _CONTROL, log_sinks.ask(), judge)
    yield from _pods(context)


def _pods(context: Residency) -> Iterator[Finding]:
    pods = pods_of(context)
    bad = 0
    # Names and hosts only: the values may hold keys.
    seen = sorted({f"{name} {host}" for pod in pods for name, host in _sinks(pod)})
    evidence = (observed(context.clock, f"{context.target.name}: list v1 Pod (sinks)", text_of({"": seen})),)
    for pod in pods:
        where = f"pod/{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
        for name, host in _sinks(pod):
            company = _HOSTED.get(name) or SHIPPERS.get(name)
            if company:
                verdict, said = Verdict.FAIL, f"{name}: sends to {company}"
            elif host:
                verdict, said = whose(context, host, of_pod=True)
            else:
                verdict, said = Verdict.NODATA, f"{name}: where it sends to was not seen"
            if verdict is not Verdict.PASS:
                bad += 1
                yield _CONTROL.finding(f"{where}/{name}", verdict, said, evidence, UNKNOWN_REMEDY)
    if not bad:
        verdict = Verdict.PASS if pods else Verdict.NODATA
        said = f"{len(pods)} pods, {len(seen)} sinks named, all of them declared"
        yield _CONTROL.finding("pods", verdict, said, evidence, "see that the cluster's pods can be listed")


def _sinks(pod: dict[str, Any]) -> list[tuple[str, str]]:
    """(variable or program, host) of what a pod sends to; the host is empty where it is not seen."""
    found = []
    for container in containers_of(pod):
        image = str(container.get("image", "")).rpartition("/")[2].partition(":")[0]
        if image in SHIPPERS:
            found.append((image, ""))
        for each in container.get("env") or ():
            name, value = str(each.get("name", "")), str(each.get("value") or "")
            if name in _HOSTED:
                found.append((name, ""))
            elif name.startswith(_ENDPOINTS) and (name == "SENTRY_DSN" or name.endswith(("ENDPOINT", "URL"))):
                found.append((name, host_of(value)))
    return found


CHECK = Check(
    "DAT-06",
    "logs, traces and errors go to declared places only",
    "residency",
    Severity.CRITICAL,
    _run,
)
