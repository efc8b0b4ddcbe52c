"""DAT-07: keys and secrets are kept by declared parts, and a person states who holds the keys.

Of an encryption configuration the names of its providers are read on the control plane, no key. Whose KMS a
plugin asks, the configuration does not say: a person states it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from inventory.eea import outside
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict, worst
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, Judged, api_server_flags, on_hosts
from tasks.checks.residency.destination import UNKNOWN_REMEDY, whose
from tasks.checks.residency.observation import host_of, text_of
from tasks.facts import secret_encryption
from tasks.facts.secret_encryption import Encryption

_CONTROL = Control(
    "DAT-07", Severity.CRITICAL, "keys and secrets are kept at declared places, by stated holders"
)
_STORES = ("SecretStore", "ClusterSecretStore", "SecretProviderClass")
_CLOUDS = ("aws", "gcp", "gcpsm", "azure", "azurekv")
_FLAG = "encryption-provider-config"
_KMS_CLOUDS = ("aws", "gcp", "google", "azure", "keyvault")
_ENCRYPT = "give the API server an EncryptionConfiguration whose keys are held where they may be"
_STATE_KMS = "state DAT-07 on kms/NAME (holder, country): whose KMS the plugin asks"


def _run(context: Residency) -> Iterator[Finding]:
    yield from _at_rest(context)
    yield from _stores(context)
    yield _CONTROL.stated(context, "keys", ("holder", "country"), _held)


def _held(facts: Mapping[str, str]) -> Judged:
    said = f"{facts['holder']} ({facts['country']}) holds the keys"
    return (Verdict.FAIL if outside(facts["country"]) else Verdict.PASS), said


def _at_rest(context: Residency) -> Iterator[Finding]:
    """Whether the API server encrypts Secrets, by its flags, and with what, by the file that they name."""
    flags = api_server_flags(context)
    if flags is not None and _FLAG not in flags:
        source = f"{context.target.name}: the API server's flags"
        evidence = (observed(context.clock, source, text_of(flags)),)
        said = "no encryption is configured: Secrets lie as they are in etcd, on the nodes; no KMS is asked"
        yield _CONTROL.finding("api-server", Verdict.WARN, said, evidence, _ENCRYPT)
        return

    def judge(subject: str, fact: Encryption, evidence: Evidence) -> Finding:
        verdict, said, remedy, more = _encryption(context, fact)
        return _CONTROL.finding(subject, verdict, said, (evidence, *more), remedy)

    nodes = {each.name for each in context.site.target.nodes if "control-plane" in each.roles}
    yield from on_hosts(
        context,
        _CONTROL,
        secret_encryption.ask(),
        judge,
        shown=lambda fact: text_of(asdict(fact)),
        among=nodes,
    )


def _encryption(context: Residency, fact: Encryption) -> tuple[Verdict, str, str, tuple[Evidence, ...]]:
    """Verdict, what was seen, remedy and further evidence of one control plane's configuration."""
    if fact.unseen:
        return Verdict.NODATA, fact.unseen, "let the file be read, and judge again", ()
    if not fact.path:
        said = "no encryption is configured: Secrets lie as they are in etcd, on the node; no KMS is asked"
        return Verdict.WARN, said, _ENCRYPT, ()
    said = f"{fact.path}: Secrets by {', '.join(fact.providers) or 'no provider'}"
    if not fact.encrypts:
        return Verdict.WARN, f"{said}: those that are written now lie in etcd as they are", _ENCRYPT, ()
    if not fact.kms:
        return Verdict.PASS, f"{said}; the key lies in that file, on the node", "", ()
    judged: list[Judged] = []
    evidence: list[Evidence] = []
    for each in fact.kms:
        if mark := next((mark for mark in _KMS_CLOUDS if mark in f"{each.name} {each.endpoint}".lower()), ""):
            judged.append((Verdict.FAIL, f"the KMS plugin {each.name} is one of {mark}"))
            continue
        stated = _CONTROL.stated(context, f"kms/{each.name}", ("holder", "country"), _held)
        judged.append((stated.verdict, f"the KMS plugin {each.name} at {each.endpoint}: {stated.observed}"))
        evidence += stated.evidence
    said = "; ".join((said, *(text for _, text in judged)))
    return worst(each for each, _ in judged), said, _STATE_KMS, tuple(evidence)


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
        return whose(context, host_of(server), of_pod=True)
    return Verdict.NODATA, f"secrets come from {', '.join(names)}, and where that is was not seen"


CHECK = Check(
    "DAT-07",
    "keys and secrets are kept at declared places, by stated holders",
    "residency",
    Severity.CRITICAL,
    _run,
)
