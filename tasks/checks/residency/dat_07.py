"""DAT-07: keys and secrets are kept by declared parts, and a person states who holds the keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inventory.eea import outside
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, Judged, api_server_flags
from tasks.checks.residency.destination import UNKNOWN_REMEDY, whose
from tasks.checks.residency.observation import host_of, text_of

_CONTROL = Control(
    "DAT-07", Severity.CRITICAL, "keys and secrets are kept at declared places, by stated holders"
)
_STORES = ("SecretStore", "ClusterSecretStore", "SecretProviderClass")
_CLOUDS = ("aws", "gcp", "gcpsm", "azure", "azurekv")
_FLAG = "encryption-provider-config"


def _run(context: Residency) -> Iterator[Finding]:
    yield _api_server(context)
    yield from _stores(context)
    yield _CONTROL.stated(context, "keys", ("holder", "country"), _held)


def _held(facts: Mapping[str, str]) -> Judged:
    said = f"{facts['holder']} ({facts['country']}) holds the keys"
    return (Verdict.FAIL if outside(facts["country"]) else Verdict.PASS), said


def _api_server(context: Residency) -> Finding:
    flags = api_server_flags(context)
    if flags is None:
        remedy = "judge with rights to list the pods of kube-system"
        return _CONTROL.finding("api-server", Verdict.NODATA, "no API server's pod is seen", (), remedy)
    evidence = (observed(context.clock, f"{context.target.name}: the API server's flags", text_of(flags)),)
    if _FLAG not in flags:
        said = "the API server uses no key-management service; its secrets lie in etcd on the nodes"
        return _CONTROL.finding("api-server", Verdict.PASS, said, evidence)
    said = f"secrets are encrypted by {flags[_FLAG]}; which provider that names was not read"
    return _CONTROL.finding(
        "api-server", Verdict.WARN, said, evidence, "see that it names no provider outside the site"
    )


def _stores(context: Residency) -> Iterator[Finding]:
    kube = context.target
    there = {kind: version for version, kind in kube.kinds()}
    found = 0
    for kind in _STORES:
        if kind not in there:
            continue
        objects = kube.list(there[kind], kind)
        evidence = (observed(context.clock, f"{kube.name}: list {there[kind]} {kind}", text_of(objects)),)
        for each in objects:
            found += 1
            verdict, said = _place(context, each.get("spec") or {})
            subject = f"{kind.lower()}/{each['metadata']['name']}"
            yield _CONTROL.finding(subject, verdict, said, evidence, UNKNOWN_REMEDY)
    if not found:
        kinds = text_of({"kinds": sorted(there)})
        evidence = (observed(context.clock, f"{kube.name}: the kinds that it has", kinds),)
        yield _CONTROL.finding(
            "secret-stores", Verdict.PASS, "no store of secrets outside the cluster", evidence
        )


def _place(context: Residency, spec: Mapping[str, Any]) -> Judged:
    provider = spec.get("provider")
    names = list(provider) if isinstance(provider, dict) else [str(provider or "")]
    clouds = [each for each in names if each in _CLOUDS]
    if clouds:
        return Verdict.FAIL, f"secrets come from {', '.join(clouds)}"
    vault = (provider or {}).get("vault") if isinstance(provider, dict) else None
    server = str((vault or spec.get("parameters") or {}).get("server" if vault else "vaultAddress", ""))
    if server:
        return whose(context, host_of(server))
    return Verdict.NODATA, f"secrets come from {', '.join(names)}, and where that is was not seen"


CHECK = Check(
    "DAT-07",
    "keys and secrets are kept at declared places, by stated holders",
    "residency",
    Severity.CRITICAL,
    _run,
)
