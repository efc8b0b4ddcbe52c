"""Parts become one result: sums, maxima, and no word of what was lost is left out."""

from dataclasses import replace

import numpy as np
from distributed import Future
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.replay.figures import INTERRUPTED, Course, result_of
from tasks.replay.records import Records
from tasks.replay.spread.clock import Offset
from tasks.replay.spread.crew import Generator
from tasks.replay.spread.part import FELLOW_LOST, ShardResult
from tasks.replay.spread.result import course_of_all, reasons_of_all, records_of_all, rows, tally_of_all
from tasks.replay.spread.shards import places, sharded
from tasks.replay.spread.watch import WorkerPart
from tasks.replay.tally import tally_of
from tests.replay.spread.test_shards import job
from tests.replay.test_tally import TARGETS, TIMEOUT_S, part, records, same

GOOD = Course(1.0, 0.1, 0, 4, 0, "", TIMEOUT_S, 0.0, "real-time", "", "")
NO_FUTURE: Future[ShardResult | str] = None  # type: ignore[assignment]  # it is over


def parts_of(whole: Records, courses: list[Course]) -> list[WorkerPart]:
    """As they are after a run, one a course."""
    shards = sharded(job(len(whole.due_s)), len(courses))
    parts = []
    for n, (shard, course) in enumerate(zip(shards, courses, strict=True)):
        mine = part(whole, n, len(courses))
        generator = Generator(f"tcp://10.0.0.{n}:4000", f"gen-{n}", Offset(0.1, 0.2))
        result = ShardResult(course, tally_of(mine, TARGETS, TIMEOUT_S), mine)
        parts.append(WorkerPart(generator, shard, NO_FUTURE, result))
    return parts


@settings(max_examples=20)  # each is of many histograms
@given(records(), st.integers(1, 5))
def test_the_result_is_that_of_one_generator_with_all_records(whole: Records, count: int) -> None:
    count = min(count, len(whole.due_s))
    parts = parts_of(whole, [GOOD] * count)
    tally = tally_of_all(parts, TARGETS)
    assert same(tally, tally_of(whole, TARGETS, TIMEOUT_S))
    where = places(job(len(whole.due_s)), count)
    np.testing.assert_array_equal(records_of_all(parts, where).done_s, whole.done_s)
    result = result_of(tally, len(whole.due_s), 0, course_of_all(parts, ""), [])
    assert result["valid"], result["reasons"]
    assert sum(row["planned"] for row in rows(parts, TARGETS)) == result["records"]
    for what in ("done", "errors", "unsent"):
        assert sum(row[what] for row in rows(parts, TARGETS)) == result[what]


@settings(max_examples=20)  # each is of many histograms
@given(records(), st.integers(2, 5), st.data())
def test_a_lost_part_is_counted_and_voids(whole: Records, count: int, data: st.DataObject) -> None:
    count = min(count, len(whole.due_s))
    parts = parts_of(whole, [GOOD] * count)
    gone = data.draw(st.sampled_from(parts))
    gone.result, gone.lost = None, "lost: its worker has left the scheduler"
    tally, reasons = tally_of_all(parts, TARGETS), reasons_of_all(parts)
    result = result_of(tally, len(whole.due_s), 0, course_of_all(parts, FELLOW_LOST), reasons)
    assert not result["valid"]
    assert not result["interrupted"]
    assert result["reasons"][0] == f"{gone.generator.host} ({gone.generator.address}): {gone.lost}"
    assert result["faults"]["lost"] == len(gone.job.due_s)
    assert result["done"] + result["errors"] + result["unsent"] == len(whole.due_s)
    [row] = [row for row in rows(parts, TARGETS) if row["lost"]]
    assert (row["errors"], row["generator_cpu"]) == (len(gone.job.due_s), None)


@settings(max_examples=20)  # each is of many histograms
@given(records())
def test_the_worst_counts(whole: Records) -> None:
    assume(len(whole.due_s) > 1)
    courses = [replace(GOOD, backlog_max=7, cpu_share=0.2), replace(GOOD, cpu_share=0.9, seconds=3.0)]
    parts = parts_of(whole, courses)
    course = course_of_all(parts, INTERRUPTED)
    assert (course.backlog_max, course.cpu_share, course.seconds) == (7, 0.9, 3.0)
    assert (course.connections_opened, course.stopped_because) == (8, INTERRUPTED)
    reasons = reasons_of_all(parts)
    backlog = "backlog of 7 requests at the connection cap: raise --connections"
    assert f"gen-0 (tcp://10.0.0.0:4000): {backlog}" in reasons
    assert "gen-1 (tcp://10.0.0.1:4000): generator CPU 90% > 80%: lower the rate" in reasons
