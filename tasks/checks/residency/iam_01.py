"""IAM-01: who may come in is known by a declared identity provider, and nobody comes in from outside the EEA.

Remote access counts as a transfer (EDPB Guidelines 05/2021). What hosts keep of logins is what they saw; the
rest is stated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inventory.eea import outside
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict, worst
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, Judged, api_server_flags, on_hosts
from tasks.checks.residency.destination import UNKNOWN_REMEDY, whose
from tasks.checks.residency.observation import as_address, host_of, text_of
from tasks.facts import logins
from tasks.facts.logins import Logins

_CONTROL = Control(
    "IAM-01", Severity.CRITICAL, "a declared identity provider, and no access from outside the EEA"
)
_WEBHOOKS = ("authentication-token-webhook-config-file", "authorization-webhook-config-file")


def _run(context: Residency) -> Iterator[Finding]:
    yield _provider(context)

    def judge(subject: str, fact: Logins, evidence: Evidence) -> Finding:
        if fact.addresses is None:
            said = "the host keeps no record of logins"
            return _CONTROL.finding(subject, Verdict.NODATA, said, (evidence,), "let it keep wtmp")
        judged = [_origin(context, each) for each in fact.addresses]
        verdict = worst(each for each, _ in judged) if judged else Verdict.PASS
        said = "; ".join(text for each, text in judged if each is not Verdict.PASS)
        said = said or f"logins from {len(judged)} addresses, all of them the site's own, private or declared"
        return _CONTROL.finding(subject, verdict, said, (evidence,), UNKNOWN_REMEDY)

    yield from on_hosts(context, _CONTROL, logins.ask(), judge)
    yield _CONTROL.stated(context, "access", ("identity_provider", "countries"), _countries)


def _origin(context: Residency, text: str) -> Judged:
    address = as_address(text)
    if address is not None and not address.is_global:
        return Verdict.PASS, f"{text} is private"
    verdict, said = whose(context, text)
    company = context.site.processing.owner_of(text)
    if company and outside(company.country):
        return Verdict.FAIL, f"a login from {said}"
    return verdict, f"a login from {said}"


def _countries(facts: Mapping[str, str]) -> Judged:
    countries = [each.strip().upper() for each in facts["countries"].split(",") if each.strip()]
    said = f"{facts['identity_provider']} knows who comes in; access from {', '.join(countries)}"
    return (Verdict.FAIL if outside(*countries) else Verdict.PASS), said


def _provider(context: Residency) -> Finding:
    flags = api_server_flags(context)
    if flags is None:
        remedy = "judge with rights to list the pods of kube-system"
        return _CONTROL.finding("api-server", Verdict.NODATA, "no API server's pod is seen", (), remedy)
    evidence = (observed(context.clock, f"{context.target.name}: the API server's flags", text_of(flags)),)
    hooks = [name for name in _WEBHOOKS if name in flags]
    if issuer := flags.get("oidc-issuer-url"):
        verdict, said = whose(context, host_of(issuer))
        said = f"the API server trusts {said}"
    elif hooks or "authentication-config" in flags:
        verdict, said = (
            Verdict.NODATA,
            f"the API server asks by {', '.join(hooks) or 'authentication-config'}",
        )
        said += ", and whom was not seen"
    else:
        verdict, said = Verdict.PASS, "the API server trusts its own certificates and tokens only"
    return _CONTROL.finding("api-server", verdict, said, evidence, UNKNOWN_REMEDY)


CHECK = Check(
    "IAM-01",
    "who may come in is known by a declared provider, and nobody comes in from outside the EEA",
    "residency",
    Severity.CRITICAL,
    _run,
)
