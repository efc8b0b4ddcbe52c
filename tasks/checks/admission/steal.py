"""ADM-STEAL: the hypervisor takes less than 2 % of the processors' time (reference of the data plane)."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import cpu

CODE = "ADM-STEAL"
LIMIT = 0.02
WINDOW_S = 3.0
_MIN_TICKS = 100  # a second of one processor: a share of less says nothing


def judge(_: str, window: cpu.CpuWindow) -> Judged:
    """The share over the window."""
    if window.total < _MIN_TICKS:
        return Judged(Verdict.NODATA, f"only {window.total} ticks were counted", "run the check again")
    said = f"{window.steal:.2%} of {window.total} ticks stolen"
    if window.steal < LIMIT:
        return Judged(Verdict.PASS, said)
    return Judged(
        Verdict.FAIL, said, "ask the provider for a host that is not oversold, or for pinned processors"
    )


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host, all over the same window."""
    expected = f"less than {LIMIT:.0%} over {WINDOW_S:g} s"
    return each_host(context, CODE, expected, Severity.HIGH, cpu.ask(WINDOW_S), judge)


CHECK = Check(CODE, "Processors are not stolen", "admission", Severity.HIGH, run)
