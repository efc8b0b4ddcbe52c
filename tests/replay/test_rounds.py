"""Rounds against two real servers: order, pooling, repeated runs, bodies and curves."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.replay.capture import read_capture
from tasks.replay.glance import Glance, Progress
from tasks.replay.plan import Plan
from tasks.replay.rounds import ATTEMPTS, Campaign
from tasks.replay.run import Options, RunResult, run
from tasks.replay.target_url import Endpoint, endpoint_of
from tests.replay.conftest import Start
from tests.replay.stalling import Stall

Write = Callable[..., Path]


@pytest.fixture
def campaign(start_server: Start, capture: Write, tmp_path: Path) -> Campaign:
    _, source = start_server("a")
    _, target = start_server("b", "0.005")
    log = capture(*[*["GET /product/1"] * 5, "GET /product/2", "GET /side", "GET /noise", "GET /rare"] * 20)
    return Campaign(
        capture=read_capture(log),
        endpoints={"source": endpoint_of(source), "target": endpoint_of(target)},
        out_dir=tmp_path / "rounds",
        rate_rps=1000,
        requests=1800,
        planned=3,
        seed=7,
        options=Options(connections=256, slo_ms=10_000),
    )


@pytest.mark.slow
def test_rounds_of_both_sides(campaign: Campaign) -> None:
    pairs = list(campaign.run_pairs())
    assert [(pair.number, pair.discarded) for pair in pairs] == [(1, ()), (2, ()), (3, ())]
    assert all(sorted(pair.order) == ["source", "target"] for pair in pairs)
    figures = pairs[0].figures
    assert {(f.side, f.route, f.requests) for f in figures} == {
        (side, route, count)
        for side in ("source", "target")
        for route, count in (("*", 1800), ("/product/*", 1200), ("other", 600))
    }
    over_all = {f.side: f for f in figures if f.route == "*"}
    assert over_all["target"].p50_ms > over_all["source"].p50_ms + 4
    summary = campaign.summary()
    assert summary["rounds_run"] == 3
    assert summary["curves_ms"]["source"]["*"][-1][0] == 100.0
    assert campaign.response["source"]["*"].total == 5400
    bodies = summary["bodies"]
    assert (bodies["same"], bodies["different"], bodies["varying"]) == (3, 1, 1)
    assert bodies["first_differences"][0]["request"] == "GET /side"
    content = campaign.rounds_file()
    assert len(content["rounds"]) == 3 * 2 * 3
    assert content["planned_rounds"] == 3
    assert content["order"] == [list(pair.order) for pair in pairs]


def invalid_first(times: int) -> Callable[..., RunResult]:
    """A runner whose first judged runs against the target count as invalid."""
    left = [times]

    def runner(plan: Plan, endpoint: Endpoint, out_dir: Path, options: Options, **_: object) -> RunResult:
        result = run(plan, endpoint, out_dir, options)
        if "target" in out_dir.name and "warm-up" not in out_dir.name and left[0]:
            left[0] -= 1
            return replace(result, result={**result.result, "valid": False, "reasons": ["lateness"]})
        return result

    return runner


def test_both_sides_are_warmed_up_once_and_nobody_judges_it(campaign: Campaign) -> None:
    folders: list[str] = []

    def runner(plan: Plan, endpoint: Endpoint, out_dir: Path, options: Options, **_: object) -> RunResult:
        folders.append(out_dir.name)
        return run(plan, endpoint, out_dir, options)

    short = replace(campaign, requests=90, rate_rps=900, runner=runner)
    next(short.run_pairs())
    assert folders[:2] == ["warm-up-source", "warm-up-target"]
    assert len(folders) == 4
    assert short.response["source"]["*"].total == 90
    assert short.rounds_file()["warm_up_requests"] == 90


def test_an_invalid_run_is_repeated_and_told(campaign: Campaign) -> None:
    """The generator of the first run against the target stands still for 0.3 s of 1.5 s."""
    stall = Stall(after=100)

    def runner(
        plan: Plan, endpoint: Endpoint, out_dir: Path, options: Options, *, on_progress: Progress
    ) -> RunResult:
        judged = "target" in out_dir.name and "warm-up" not in out_dir.name
        return run(plan, endpoint, out_dir, options, on_progress=stall if judged else on_progress)

    options = replace(campaign.options, slo_ms=2_000)  # 100 ms late are too many
    short = replace(campaign, requests=600, rate_rps=400, options=options, runner=runner)
    pair = next(short.run_pairs())
    assert stall.stalled
    assert {f.side for f in pair.figures} == {"source", "target"}
    stalled = next(d for d in pair.discarded if d.side == "target")  # a busy machine may have others
    assert stalled.round == 1
    assert any(reason.startswith("lateness p99 ") for reason in stalled.reasons)
    assert short.response["target"]["*"].total == 600


def test_a_round_that_never_becomes_valid_is_missing(campaign: Campaign) -> None:
    short = replace(campaign, requests=90, rate_rps=900, runner=invalid_first(ATTEMPTS))
    pair = next(short.run_pairs())
    assert pair.figures == ()
    assert len(pair.discarded) == ATTEMPTS


def test_the_order_comes_from_the_seed(campaign: Campaign) -> None:
    def orders(seed: int) -> list[tuple[str, ...]]:
        def runner(*_: object, **__: object) -> RunResult:
            return done

        return [p.order for p in replace(campaign, seed=seed, planned=20, runner=runner).run_pairs()]

    one = replace(campaign, requests=90, rate_rps=900)
    done = run(one._plan(0), one.endpoints["source"], one.out_dir / "one", one.options)
    assert done.valid
    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
    assert len(set(orders(1))) == 2


def test_an_interrupted_run_ends_the_rounds(campaign: Campaign) -> None:
    """Also when the wish comes from another thread, by the progress."""
    told: list[tuple[int, str]] = []

    def stop(number: int, side: str, glance: Glance) -> None:
        told.append((number, side))
        raise KeyboardInterrupt

    long = replace(campaign, requests=20_000, rate_rps=1000, on_progress=stop)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(long.run_pairs())
    assert time.monotonic() - started < 10
    assert len(told) == 1
    partial = json.loads(next(long.out_dir.glob("*/result.json")).read_text())
    assert partial["interrupted"]
    assert 0 < partial["done"] < 20_000
