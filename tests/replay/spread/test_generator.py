"""What a worker does with its shard, without a cluster: it starts when it is told to, or not at all."""

from __future__ import annotations

import threading
import time
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.replay.capture import Target
from tasks.replay.glance import Glance
from tasks.replay.job import wire_of
from tasks.replay.records import Fault
from tasks.replay.spread import generator
from tasks.replay.spread.generator import look, ready, run_shard
from tasks.replay.spread.part import ShardResult
from tasks.replay.spread.shards import Shard, without_requests
from tasks.replay.target_url import endpoint_of
from tests.replay.certificates import NAME
from tests.replay.conftest import Start
from tests.replay.http2_gateway import gateway
from tests.replay.spread.test_shards import job

pytestmark = pytest.mark.slow
NOISE = Target("GET", "/noise", "/noise")


def shard(url: str, requests: int, rate_rps: float = 100) -> Shard:
    due_s = array("d", (n / rate_rps for n in range(requests)))
    target = array("I", bytes(4 * requests))
    made = replace(job(requests), endpoint=endpoint_of(url), wires=[wire_of(NOISE, "shop")], target=target)
    return Shard(replace(made, due_s=due_s), (NOISE,), "")


def problem_of(made: Shard, **changed: Any) -> str:
    return ready(replace(made, job=replace(without_requests(made.job), **changed))).problem


def done(result: ShardResult | str) -> ShardResult:
    assert isinstance(result, ShardResult), result
    return result


def test_it_starts_at_the_wall_clock_s_time(start_server: Start) -> None:
    _, url = start_server()
    starts_at = time.time() + 5
    result = done(run_shard(shard(url, 50), "a", starts_at))
    assert result.tally.faults == {Fault.NONE: 50}
    assert 0.49 <= result.course.seconds < 2.5  # the wait is no part of it
    assert time.time() >= starts_at + 0.49


def test_too_late_for_the_start_nothing_is_sent(start_server: Start) -> None:
    """A shard that a scheduler hands out again, or to a worker that was busy, must not fire all at once."""
    _, url = start_server()
    result = done(run_shard(shard(url, 200), "b", time.time() - 1))
    assert set(result.records.fault.tolist()) == {Fault.UNSENT}
    assert np.isnan(result.records.sent_s).all()
    assert result.course.connections_opened == 0
    assert "s after the shared start" in result.course.stopped_because


def test_a_forsaken_generator_stops(start_server: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "FORSAKEN_AFTER_S", 2.0)
    _, url = start_server()
    result = done(run_shard(shard(url, 3000), "c", time.time() + 1.5))
    assert result.course.stopped_because == "nobody asked about it for 2 s"
    assert result.tally.faults[Fault.UNSENT] > 2000


def test_it_says_how_far_it_is_and_stops_when_told(start_server: Start) -> None:
    _, url = start_server()
    seen: list[Glance | None] = []

    def ask() -> None:
        until = time.monotonic() + 20
        while not (seen and seen[-1] and seen[-1].finished) and time.monotonic() < until:
            time.sleep(0.2)
            seen.append(look("d", ""))
        look("d", "another generator was lost")

    asking = threading.Thread(target=ask)
    asking.start()
    result = done(run_shard(shard(url, 3000), "d", time.time() + 1.5))
    asking.join()
    assert seen[-1] is not None
    assert (0 < seen[-1].finished < 3000, seen[-1].planned) == (True, 3000)
    assert result.course.stopped_because == "another generator was lost"
    assert look("d", "") is None  # it is over


def test_what_keeps_a_worker_from_taking_part_is_told(start_server: Start) -> None:
    _, url = start_server()
    made = shard(url, 4)
    assert problem_of(made) == ""
    assert "no connection" in problem_of(made, endpoint=endpoint_of("http://127.0.0.1:1"))
    assert "open files" in problem_of(made, connections=2**30)
    assert "does not speak HTTP/2" in problem_of(made, http="2")


def test_over_http_2_with_the_sites_own_authority(
    start_server: Start, tmp_path: Path, certificate: Path
) -> None:
    """The authority's file stands on the client's machine; its content comes with the shard."""
    _, url = start_server()
    with gateway(tmp_path, certificate=certificate, backend=url.removeprefix("http://")) as shop:
        made = shard(url, 100)
        endpoint = endpoint_of(f"https://{NAME}", connect_to=shop.url.partition("://")[2])
        job = replace(made.job, endpoint=endpoint, http="2", connections=2, ca_file="/of/another/machine")
        mine = replace(made, job=job, ca_pem=certificate.read_text())
        assert problem_of(mine) == ""
        assert "no TLS connection" in problem_of(replace(mine, ca_pem=""))
        result = done(run_shard(mine, "e", time.time() + 5))
    assert result.tally.faults == {Fault.NONE: 100}
    assert result.course.tls.startswith("TLSv1.3")
