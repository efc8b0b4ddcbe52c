"""The pilot: how many rounds to plan, and when nothing can be planned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inventory.models.verdict import Verdict
from tasks.gates.looks import rounds_needed
from tasks.gates.pilot import judge_pilot, judge_pilot_file
from tasks.gates.rounds_file import Round
from tests.gates.test_latency import GATE, rounds_of

WAVE = np.array([1, -1] * 4) * np.sqrt(7 / 8)  # eight rounds with a deviation of 1


def halves(sigma: float, ratio: float = 1.0, rounds: int = 8) -> list[Round]:
    return rounds_of((ratio * np.exp(sigma * WAVE[:rounds])).tolist())


def test_the_deviation_plans_the_rounds() -> None:
    pilot = judge_pilot(halves(0.05), GATE)
    assert (pilot.verdict, pilot.rounds) == (Verdict.PASS, 8)
    assert pilot.routes["*"]["p99"].sigma_d == pytest.approx(0.05)
    assert pilot.planned_rounds == rounds_needed(0.05, 0.05) == 12
    wide = judge_pilot(halves(0.1), GATE)
    assert wide.planned_rounds == rounds_needed(0.1, 0.05) == 38  # p50 has the narrowest margin
    assert wide.routes["*"]["p99"].rounds_needed == rounds_needed(0.1, 0.15)


def test_a_side_that_differs_from_itself_plans_nothing() -> None:
    pilot = judge_pilot(halves(0.01, ratio=1.2), GATE)
    assert pilot.verdict is Verdict.FAIL
    assert pilot.reasons == (
        "the side differs from itself in * p50, * p95, * p99: mend what disturbs the rounds first",
    )
    assert pilot.planned_rounds is None


def test_too_little_is_no_plan() -> None:
    few = judge_pilot(halves(0.05, rounds=5), GATE)
    assert (few.verdict, few.planned_rounds) == (Verdict.INCONCLUSIVE, None)
    assert few.reasons == ("5 rounds, a pilot needs 6 to 10",)
    lost = [r for r in halves(0.05) if (r.round, r.side) != (3, "target")]
    assert judge_pilot(lost, GATE).verdict is Verdict.NODATA
    thin = [r.model_copy(update={"requests": 2000}) for r in halves(0.05)]
    assert judge_pilot(thin, GATE).reasons == ("* p99: 2000 requests a round, p99 needs 5000",)
    assert judge_pilot([], GATE).verdict is Verdict.NODATA


def test_a_file_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "pilot.json"
    path.write_text(json.dumps({"rounds": [r.model_dump() for r in halves(0.1)]}))
    assert judge_pilot_file(path).planned_rounds == 38
    document = judge_pilot_file(path, {"p50": 0.2, "p95": 0.2, "p99": 0.2}).document()
    assert (document["schema"], document["planned_rounds"]) == ("safe-harbor/latency-pilot/v1", 12)
    json.dumps(document, allow_nan=False)
