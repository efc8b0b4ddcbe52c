"""Rounds are taken until the gate has decided, and not one more; what it decided becomes findings."""

import json
from array import array
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inventory.models.site import LatencyGate
from inventory.models.verdict import Verdict
from tasks.gates.latency import judge
from tasks.gates.latency_campaign import judged_campaign, latency_findings
from tasks.gates.rounds_file import rounds_of
from tasks.replay.capture import Capture, Target
from tasks.replay.figures import Course, reasons_invalid, result_of
from tasks.replay.plan import Plan
from tasks.replay.records import Records
from tasks.replay.rounds import ATTEMPTS, Campaign, Pair
from tasks.replay.run import Options, RunResult
from tasks.replay.tally import tally_of
from tasks.replay.target_url import Endpoint

REQUESTS = 5000


def simulated(ratio: float, invalid_in: str = "never") -> Callable[..., RunResult]:
    """A runner that makes the records of a run of made-up latencies; everything after that is real."""
    rng = np.random.default_rng(3)

    def runner(plan: Plan, endpoint: Endpoint, out_dir: Path, options: Options, **_: object) -> RunResult:
        count = len(plan)
        due_s = np.array(plan.due_s)
        slower = ratio if "target" in out_dir.name else 1.0
        took_s = rng.lognormal(np.log(0.02), 0.3, count) * slower * np.exp(rng.normal(0, 0.01))
        zeros = np.zeros(count)
        records = Records(
            due_s, due_s, due_s, due_s + took_s, due_s + took_s, np.full(count, np.nan),
            np.full(count, 200, np.uint16), zeros.astype(np.uint64), zeros.astype(np.uint8),
            zeros.astype(np.uint8), zeros.astype(np.uint8),
            np.array(plan.target, dtype=np.uint32), np.array(plan.expected_status, dtype=np.uint16),
        )  # fmt: skip
        course = Course(10, 0.1, int(invalid_in in out_dir.name), 8, 0, "", 10, 0, "normal", "", "")
        tally = tally_of(records, plan.targets, 10)
        result = result_of(tally, plan.records, plan.skipped, course, reasons_invalid(tally, course))
        return RunResult(result, tally.routes, records, plan.targets)

    return runner


def campaign(runner: Callable[..., RunResult]) -> Campaign:
    targets = (
        Target("GET", "/", "/"),
        Target("GET", "/search?q=1", "/search"),
        Target("GET", "/cart/1", "/cart/*"),
    )
    which = array("I", [0, 0, 0, 0, 0, 0, 1, 1, 1, 2])
    capture = Capture(
        "made-up", targets, array("d", range(10)), which, array("H", [200] * 10), array("I", [0] * 11), 0
    )
    endpoint = Endpoint("http://127.0.0.1", False, "127.0.0.1", "127.0.0.1", "127.0.0.1", 80)
    both = {"source": endpoint, "target": endpoint}
    return Campaign(capture, both, Path("unused"), 500, REQUESTS, 12, 1, runner=runner)


@pytest.mark.parametrize(("ratio", "verdict"), [(0.6, Verdict.PASS), (1.6, Verdict.FAIL)])
def test_it_stops_at_the_look_that_decides(ratio: float, verdict: Verdict) -> None:
    mine = campaign(simulated(ratio))
    seen: list[Pair] = []
    judged = judged_campaign(mine, LatencyGate(), seen.append)
    assert judged.verdict == verdict
    assert len(seen) == len(mine.pairs) == 4
    assert set(judged.routes) == {"*", "/", "/search", "other"}
    assert judged.routes["other"]["p50"].verdict == Verdict.NODATA
    assert judged.routes["/"]["p50"].ratio == pytest.approx(ratio, rel=0.05)
    read = rounds_of(json.loads(json.dumps(mine.rounds_file())))
    assert judge(read.rounds, read.planned_rounds, LatencyGate()) == judged


def test_a_round_that_cannot_be_run_ends_it_as_inconclusive() -> None:
    mine = campaign(simulated(0.6, invalid_in="round-02-target"))
    judged = judged_campaign(mine, LatencyGate())
    assert judged.verdict == Verdict.INCONCLUSIVE
    assert len(mine.pairs) == 2
    assert mine.summary()["runs_discarded"] == ATTEMPTS
    assert "1 rounds were run of 12" in judged.reasons


def test_findings_name_what_is_slow_and_what_to_do() -> None:
    pairs: list[Pair] = []
    findings = latency_findings(judged_campaign(campaign(simulated(1.6)), LatencyGate(), pairs.append))
    assert (findings[0].subject, findings[0].verdict) == ("shop", Verdict.FAIL)
    assert "too few requests to be judged alone" in findings[0].observed
    by_subject = {finding.subject: finding for finding in findings}
    assert by_subject["* p99"].verdict == Verdict.FAIL
    assert by_subject["* p99"].expected == "ratio below 1.15"
    assert by_subject["* errors"].verdict == Verdict.PASS
    assert all(finding.remedy for finding in findings if not finding.verdict.lets_go_on)
    assert "other p50" not in by_subject
    passed = latency_findings(judged_campaign(campaign(simulated(0.6)), LatencyGate()))
    assert {finding.verdict for finding in passed} == {Verdict.PASS}
