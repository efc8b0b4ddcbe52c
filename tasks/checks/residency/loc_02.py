"""LOC-02: each node is tied to a machine that stands at a stated place.

A signed statement says which asset tag stands at which site, and which attestation key that machine's TPM
holds. The tag is what the firmware says, and whoever runs the host can change it: what agrees is a pass only
where the TPM has signed a fresh nonce with the stated key. That this key is a TPM's, made to sign nothing but
what the TPM itself has measured (restricted), is the statement's word.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from inventory.models.finding import Evidence, Finding, Grade, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, Judged, on_hosts
from tasks.checks.residency.quoted import verified
from tasks.drivers.errors import OutsideError
from tasks.facts import asset, tpm_quote
from tasks.facts.asset import Asset

_CONTROL = Control("LOC-02", Severity.HIGH, "a TPM quote and an asset tag that a statement places at a site")
_REMEDY = {
    Verdict.WARN: "state attestation_key as well (runbooks/gate.md says how it is read)",
    Verdict.NODATA: "install tpm2-tools on the node, and give it its TPM",
    Verdict.ERROR: "make the node answer, and judge again",
    Verdict.FAIL: "find out which machine it is",
}


def _run(context: Residency) -> Iterator[Finding]:
    def judge(subject: str, fact: Asset, evidence: Evidence) -> Finding:
        node = subject.partition("/")[0]
        stated, newest = _CONTROL.stated(context, node, ("asset_tag", "site")), _CONTROL.newest(context, node)
        said, evidences = f"asset tag {fact.tag or 'none'}", [evidence, *stated.evidence]
        if newest is None or stated.verdict is not Verdict.PASS:
            # The statement's own finding says what is wrong with it.
            both = f"{said}; {stated.observed}"
            return _CONTROL.finding(subject, stated.verdict, both, evidences, stated.remedy)
        facts = newest.statement.facts
        tag, place = facts["asset_tag"], facts["site"]
        if not fact.tag:
            said += f"; {tag} is stated, at {place}"
            return _CONTROL.finding(subject, Verdict.NODATA, said, evidences, "set the firmware's asset tag")
        if fact.tag != tag:
            said += f"; another one is stated: {tag}, at {place}"
            return _CONTROL.finding(subject, Verdict.FAIL, said, evidences, _REMEDY[Verdict.FAIL])
        (verdict, quoted), of_quote = _quoted(context, node, facts.get("attestation_key", "").strip().lower())
        said += f"; the same is stated, at {place}; {quoted}"
        return _CONTROL.finding(subject, verdict, said, [*evidences, *of_quote], _REMEDY.get(verdict, ""))

    return on_hosts(context, _CONTROL, asset.ask(), judge)


def _quoted(context: Residency, node: str, key: str) -> tuple[Judged, list[Evidence]]:
    """What the node's TPM says to a fresh nonce."""
    if not key:
        return (Verdict.WARN, "no key of its TPM is stated, so no quote was asked for"), []
    nonce = secrets.token_bytes(16)
    asked = tpm_quote.ask(key, nonce.hex())
    try:
        text = context.hosts[node].check(asked.command)
    except OutsideError as error:
        return (Verdict.ERROR, str(error)), []
    source = f"{node}: TPM quote over {nonce.hex()} by {key}"
    evidence = [observed(context.clock, source, text, Grade.E1)]
    try:
        quote = asked.parse(text)
        if quote.untold:
            return (Verdict.NODATA, f"its TPM was not asked: {quote.untold}"), evidence
        if quote.other:
            return (Verdict.FAIL, "its TPM does not hold the stated key"), evidence
        digest = verified(quote, key, nonce).pcr_digest.hex()
    except ValueError as error:
        return (Verdict.FAIL, f"its TPM's quote does not hold: {error}"), evidence
    return (Verdict.PASS, f"its TPM signed a fresh nonce and what it measured ({digest[:16]})"), evidence


CHECK = Check(
    "LOC-02", "each node is a machine that stands at a stated place", "residency", Severity.HIGH, _run
)
