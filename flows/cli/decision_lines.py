"""The gate's decision as lines for a person: what was found and let through, why, what is signed."""

from __future__ import annotations

from collections import Counter

from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict


def decision_lines(result: StageResult) -> list[str]:
    """Findings by verdict and those that are no pass, waivers with approvers, go or no-go, the digest."""
    decision = result.figures.get("decision")
    if decision is None:
        return ["the stage ended before it decided"]
    counts = Counter(str(finding.verdict) for finding in result.findings)
    lines = [f"policy    {decision['policy']}"]
    lines.append("findings  " + ", ".join(f"{counts[name]} {name}" for name in sorted(counts)))
    for finding in result.findings:
        if finding.verdict is not Verdict.PASS:
            grades = "+".join(sorted({str(each.grade) for each in finding.evidence})) or "no evidence"
            lines.append(
                f"  {finding.verdict!s:<8} {finding.code} {finding.subject} [{grades}]: {finding.observed}"
            )
    for waiver in decision["waivers"]:
        lines.append(
            f"waiver    {waiver['check']} {waiver['subject']}, {waiver['approver']}, "
            f"until {waiver['expires']}: {waiver['reason']}"
        )
    lines.append(f"decision  {'go' if decision['go'] else 'no-go'}, over {decision['findings']} findings")
    lines += [f"  because {reason}" for reason in decision["reasons"]]
    lines.append(f"digest    {decision['digest']}  (an approver signs this)")
    return lines
