"""What an earlier stage has left standing stops the gate, also where its waiver has expired since."""

from __future__ import annotations

from datetime import date

import pytest

from inventory.models.finding import Finding, Severity, Waiver
from inventory.models.verdict import Verdict
from tasks.gates.earlier import left_standing

TODAY = date(2026, 11, 23)


def found(verdict: Verdict) -> Finding:
    return Finding(
        code="ADM-VIRT",
        subject="oslo-1",
        verdict=verdict,
        observed="not KVM",
        expected="KVM",
        severity=Severity.CRITICAL,
    )


def waived_until(day: date) -> Waiver:
    return Waiver(check="ADM-VIRT", subject="oslo-1", approver="Kari", reason="a rehearsal", expires=day)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_what_lets_go_on_is_passed_over(verdict: Verdict) -> None:
    assert bool(left_standing([found(verdict)], [], TODAY)) is not verdict.lets_go_on


def test_a_waiver_holds_until_its_day_has_passed() -> None:
    failed = [found(Verdict.FAIL)]
    assert left_standing(failed, [waived_until(TODAY)], TODAY) == []
    (finding,) = left_standing(failed, [waived_until(date(2026, 11, 22))], TODAY)
    assert finding.verdict is Verdict.FAIL
    assert "ADM-VIRT oslo-1: fail, not KVM" in finding.observed


def test_no_earlier_stage_leaves_nothing() -> None:
    assert left_standing([], [], TODAY) == []


def test_a_stage_that_has_not_run_is_no_data() -> None:
    (finding,) = left_standing([found(Verdict.PASS)], [], TODAY, ["capacity"])
    assert (finding.verdict, finding.observed) == (Verdict.NODATA, "capacity has not run")
    (finding,) = left_standing([found(Verdict.FAIL)], [], TODAY, ["capacity"])
    assert finding.verdict is Verdict.FAIL
    assert finding.observed.endswith("; capacity has not run")
