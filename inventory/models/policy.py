"""A residency policy: which controls must be shown, and what blocks where one is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, model_validator

from inventory.models.cluster import Declared
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict

_UNKNOWN = (Verdict.NODATA, Verdict.ERROR, Verdict.INCONCLUSIVE)


class Control(Declared):
    """A control of the residency catalogue that the policy requires, and how much it weighs there."""

    code: str = Field(pattern=r"^[A-Z]{2,4}-\d{2}$")
    severity: Severity
    why: str = Field(min_length=10)


class Policy(Declared):
    """`inventory/policies/NAME.yaml`.

    `fail_blocks` and `unknown_blocks` are the severities at which a failed control and one that could not be
    observed keep an exit from going on; at the others they are shown as warnings.
    """

    schema_: Literal["safe-harbor/policy/v1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    title: str = Field(min_length=1)
    situation: str = Field(min_length=1)  # when the policy is the one to take; facts, no legal conclusion
    fail_blocks: tuple[Severity, ...]
    unknown_blocks: tuple[Severity, ...]
    required: tuple[Control, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _controls_are_sound(self) -> Self:
        codes = [control.code for control in self.required]
        for code in codes:
            if codes.count(code) > 1:
                raise ValueError(f"the control {code} stands twice under required")
        if Severity.CRITICAL not in self.fail_blocks or Severity.CRITICAL not in self.unknown_blocks:
            raise ValueError("critical must be in fail_blocks and in unknown_blocks")
        return self

    def settle(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings as this policy weighs them, and one `nodata` for each control that nobody observed.

        A required control takes the policy's severity. A finding that does not block becomes a warning that
        says what it was; nothing is dropped, and nothing becomes a pass.
        """
        given = tuple(findings)
        by_code = {control.code: control for control in self.required}
        settled = [self._weighed(finding, by_code.get(finding.code)) for finding in given]
        seen = {finding.code for finding in given}
        settled += [
            self._weighed(_unobserved(self.name, control), control)
            for control in self.required
            if control.code not in seen
        ]
        return tuple(settled)

    def _weighed(self, finding: Finding, control: Control | None) -> Finding:
        severity = control.severity if control else finding.severity
        blocking = self.fail_blocks if finding.verdict is Verdict.FAIL else self.unknown_blocks
        verdict, observed = finding.verdict, finding.observed
        if (verdict is Verdict.FAIL or verdict in _UNKNOWN) and severity not in blocking:
            observed = (
                f"{observed} ({verdict}; at severity {severity} the policy {self.name} lets it through)"
            )
            verdict = Verdict.WARN
        return finding.model_copy(update={"severity": severity, "verdict": verdict, "observed": observed})


def _unobserved(policy: str, control: Control) -> Finding:
    return Finding(
        code=control.code,
        subject="site",
        verdict=Verdict.NODATA,
        observed="no check of this control ran",
        expected=control.why,
        remedy=f"the policy {policy} requires it: show it by other means, or take a policy that does not",
        severity=control.severity,
    )
