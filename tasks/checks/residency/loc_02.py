"""LOC-02: each node is tied to a machine that stands at a stated place.

A quote of the node's TPM is not verified by this release: an asset tag is what the firmware says, and whoever
runs the host can change it. What agrees is therefore a warning, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, on_hosts
from tasks.facts import asset
from tasks.facts.asset import Asset

_CONTROL = Control("LOC-02", Severity.HIGH, "a TPM quote and an asset tag that a statement places at a site")


def _run(context: Residency) -> Iterator[Finding]:
    def judge(subject: str, fact: Asset, evidence: Evidence) -> Finding:
        node = subject.partition("/")[0]
        stated = _CONTROL.stated(context, node, ("asset_tag", "site"))
        tpm = "it has a TPM, whose quote was not verified" if fact.has_tpm else "it shows no TPM"
        said = f"asset tag {fact.tag or 'none'}; {tpm}"
        if stated.verdict is not Verdict.PASS:
            # The statement's own finding says what is wrong with it.
            both = f"{said}; {stated.observed}"
            return _CONTROL.finding(
                subject, stated.verdict, both, (evidence, *stated.evidence), stated.remedy
            )
        facts = next(
            each.statement.facts
            for each in sorted(context.statements, key=lambda each: each.statement.dated, reverse=True)
            if (each.statement.control, each.statement.subject) == ("LOC-02", node)
        )
        tag, place = facts["asset_tag"], facts["site"]
        evidences = (evidence, *stated.evidence)
        if not fact.tag:
            said += f"; {tag} is stated, at {place}"
            return _CONTROL.finding(subject, Verdict.NODATA, said, evidences, "set the firmware's asset tag")
        if fact.tag != tag:
            said += f"; another one is stated: {tag}, at {place}"
            return _CONTROL.finding(subject, Verdict.FAIL, said, evidences, "find out which machine it is")
        said += f"; the same is stated, at {place}"
        return _CONTROL.finding(subject, Verdict.WARN, said, evidences, "verify a quote of its TPM by hand")

    return on_hosts(context, _CONTROL, asset.ask(), judge)


CHECK = Check(
    "LOC-02", "each node is a machine that stands at a stated place", "residency", Severity.HIGH, _run
)
