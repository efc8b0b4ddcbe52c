"""ADM-STEAL: the hypervisor takes less than 2 % of the processors' time (reference of the data plane)."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from tasks.checks.admission.looking import Judged, answers, finding
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.stolen import LIMIT, judge_stolen
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import cpu, virtualization

CODE = "ADM-STEAL"
WINDOW_S = 3.0


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host, all over the same window."""
    expected = f"less than {LIMIT:.0%} over {WINDOW_S:g} s"
    window, signs = cpu.ask(WINDOW_S), virtualization.ask()
    for name, facts in answers(context, (window, signs)).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            stolen = judge_stolen(facts.of(window), facts.of(signs).container_signs)
        except OutsideError as error:
            yield unseen(CODE, name, expected, Severity.HIGH, error)
            continue
        said = Judged(stolen.verdict, stolen.observed, stolen.remedy)
        yield finding(context, CODE, name, expected, Severity.HIGH, said, window, facts)


CHECK = Check(CODE, "Processors are not stolen", "admission", Severity.HIGH, run)
