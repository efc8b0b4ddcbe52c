"""What is shown of a run while it goes on, and that a server that stands still shows at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.replay.glance import MOST, Glance, Lookout, together
from tasks.replay.open_loop import OpenLoop
from tasks.replay.records import Fault, Slots
from tasks.replay.run import Options, replay_run
from tests.replay.conftest import Start

Write = Callable[..., Path]
counts = st.integers(0, 10**9)
times_ms = st.none() | st.floats(0, 1e6)
glances = st.builds(Glance, counts, counts, counts, counts, st.floats(0, 1e6), times_ms, times_ms)


class Played:
    """An engine as far as it is looked at: `answer` and `due` say what happened."""

    def __init__(self, planned: int) -> None:
        self.slots = Slots(planned)
        self.due_count = self.finished_count = self.fault_count = 0

    def due(self, count: int, took_ms: float | None) -> None:
        for index in range(self.due_count, self.due_count + count):
            self.slots.due_s[index] = time.monotonic() - 1
            if took_ms is not None:
                self.slots.done_s[index] = self.slots.due_s[index] + took_ms / 1000
                self.finished_count += 1
        self.due_count += count


def test_figures_are_of_the_requests_that_had_time_to_be_answered() -> None:
    engine = Played(100)
    lookout = Lookout(cast(OpenLoop, engine))
    assert lookout.glance() == Glance(0, 100)
    engine.due(40, took_ms=7)
    assert lookout.glance().p99_ms is None  # they were due since the last look: too fresh to be judged
    engine.due(20, took_ms=None)
    seen = lookout.glance()
    assert (seen.finished, seen.in_flight) == (40, 20)
    assert (seen.p50_ms, seen.p99_ms) == (pytest.approx(7), pytest.approx(7))
    still = lookout.glance()
    assert still.p50_ms is not None
    assert still.p50_ms >= 1000, "what has no answer is at least as slow as it is old"


def test_a_look_goes_through_the_last_few_thousand_at_most() -> None:
    engine = Played(12_000)
    lookout = Lookout(cast(OpenLoop, engine))
    engine.due(12_000 - MOST, took_ms=500)
    engine.due(MOST, took_ms=1)
    lookout.glance()
    assert lookout.glance().p99_ms == pytest.approx(1)


@given(glances)
def test_a_glance_passes_as_a_line(glance: Glance) -> None:
    assert "\n" not in glance.line()
    assert Glance.read(glance.line()) == glance


@given(st.lists(glances, min_size=1, max_size=4))
def test_generators_add_up_and_the_slowest_one_counts(several: list[Glance]) -> None:
    seen = together(several)
    assert seen.finished == sum(each.finished for each in several)
    slow = [each.p99_ms for each in several if each.p99_ms is not None]
    assert seen.p99_ms == (max(slow) if slow else None)


def test_in_words() -> None:
    assert Glance(0, 10).told() == ""
    assert Glance(900, 5000, 3, 12, 4980.4, 1.23, 9.87).told() == (
        "4,980/s, p50 1.2 ms, p99 9.9 ms, 12 in flight, 3 faults"
    )


def test_a_real_run_is_looked_at_twice_a_second(start_server: Start, capture: Write, tmp_path: Path) -> None:
    _, url = start_server("a", "0.2")
    seen: list[Glance] = []
    options = Options(connections=100, timeout_s=5)
    run = replay_run(
        *(capture("GET /a"), url, tmp_path / "out"),
        rate_rps=100,
        duration_s=3,
        options=options,
        on_progress=seen.append,
    )
    assert run.records.fault.tolist() == [Fault.NONE] * 300
    assert len(seen) > 4
    assert seen[-1] == Glance(300, 300)
    assert any(each.p50_ms is not None and 200 <= each.p50_ms < 1000 for each in seen)
    assert any(each.in_flight >= 10 and 50 < each.rate_rps < 200 for each in seen)
