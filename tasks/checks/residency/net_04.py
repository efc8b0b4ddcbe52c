"""NET-04: mail, webhook and payment endpoints that the moved workloads are told of are declared companies'.

What a program has compiled in, or reads from a Secret or a database, is not seen here: NET-01 sees where it
connects to.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, containers_of, pods_of
from tasks.checks.residency.destination import UNKNOWN_REMEDY, whose
from tasks.checks.residency.observation import host_of, text_of

_CONTROL = Control(
    "NET-04", Severity.HIGH, "each endpoint outside is a declared company's, and its use is stated"
)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>,]+", re.IGNORECASE)
_HOST_OF_MAIL = re.compile(r"(SMTP|MAIL).*(HOST|SERVER|RELAY)$", re.IGNORECASE)
_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


def _run(context: Residency) -> Iterator[Finding]:
    found = _endpoints(context)
    # Hosts and places only: the texts themselves may hold passwords.
    raw = text_of({host: sorted(places) for host, places in found.items()})
    evidence = (
        observed(context.clock, f"{context.target.name}: endpoints in pods, ConfigMaps, webhooks", raw),
    )
    outside = 0
    for host in sorted(found):
        verdict, said = whose(context, host, of_pod=True)
        company = context.site.processing.owner_of(host)
        if verdict is Verdict.PASS and company is None:
            continue
        outside += 1
        said += f", named in {sorted(found[host])[0]}"
        if company is None:
            yield _CONTROL.finding(f"endpoint/{host}", verdict, said, evidence, UNKNOWN_REMEDY)
            continue
        stated = _CONTROL.stated(context, company.name)
        yield _CONTROL.finding(
            f"endpoint/{host}",
            stated.verdict,
            f"{said}; {stated.observed}",
            (*evidence, *stated.evidence),
            stated.remedy,
        )
    if not outside:
        said = f"{len(found)} endpoints are named, all of them the site's own"
        yield _CONTROL.finding("endpoints", Verdict.PASS, said, evidence)


def _endpoints(context: Residency) -> dict[str, set[str]]:
    """Host -> where it is named."""
    found: dict[str, set[str]] = defaultdict(set)

    def read(place: str, name: str, text: str) -> None:
        for url in _URL.findall(text):
            found[host_of(url)].add(place)
        if _HOST_OF_MAIL.search(name) and text.strip() and "://" not in text:
            found[host_of(text.strip())].add(place)

    namespaces = context.site.workload.namespaces
    for pod in pods_of(context, namespaces):
        place = f"pod/{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
        for container in containers_of(pod):
            for each in container.get("env") or ():
                read(place, str(each.get("name", "")), str(each.get("value") or ""))
            for word in (*(container.get("command") or ()), *(container.get("args") or ())):
                read(place, "", str(word))
    for each in context.target.list("v1", "ConfigMap"):
        namespace = str(each["metadata"].get("namespace", ""))
        if namespace in namespaces:
            for name, text in (each.get("data") or {}).items():
                read(f"configmap/{namespace}/{each['metadata']['name']}", str(name), str(text))
    for kind in _WEBHOOKS:
        for each in context.target.list("admissionregistration.k8s.io/v1", kind):
            for hook in each.get("webhooks") or ():
                read(
                    f"{kind.lower()}/{each['metadata']['name']}",
                    "",
                    str((hook.get("clientConfig") or {}).get("url", "")),
                )
    return found


CHECK = Check(
    "NET-04",
    "mail, webhook and payment endpoints are declared companies'",
    "residency",
    Severity.HIGH,
    _run,
)
