"""ADM-STEAL: the hypervisor takes less than 2 % of the processors' time (reference of the data plane).

The window is ADM-NOISE's, whose bursts want a processor meanwhile: who idles has nothing stolen.
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from tasks.checks.admission.looking import Judged, answers, finding
from tasks.checks.context import Admission
from tasks.checks.registry import PROCESSORS, Check
from tasks.checks.stolen import LIMIT, judge_stolen
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import contention, virtualization

CODE = "ADM-STEAL"


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host, all over the same window."""
    expected = f"less than {LIMIT:.0%} while short work asks for a processor"
    window, signs = contention.ask(), virtualization.ask()
    for name, facts in answers(context, (window, signs)).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            stolen = judge_stolen(facts.of(window).window, facts.of(signs).container_signs)
        except OutsideError as error:
            yield unseen(CODE, name, expected, Severity.HIGH, error)
            continue
        said = Judged(stolen.verdict, stolen.observed, stolen.remedy)
        yield finding(context, CODE, name, expected, Severity.HIGH, said, window, facts)


CHECK = Check(CODE, "Processors are not stolen", "admission", Severity.HIGH, run, alone=PROCESSORS)
