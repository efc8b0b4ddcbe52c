"""What a site file says of its replay: the plans of its rounds, and a campaign that keeps to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inventory.models.replay import Reached, Replay, Selected, Timing
from tasks.replay.capture import read_capture
from tasks.replay.compare_run import compare_capture
from tasks.replay.comparison import Rules
from tasks.replay.declared import capture_of, endpoint_at, mean_rate_rps, round_of
from tasks.replay.plan import at_rate
from tasks.replay.rounds import campaign_of
from tests.replay.certificates import NAME
from tests.replay.conftest import Start

Write = Callable[..., Path]


def timed(folder: Path, *at_s: float) -> Path:
    log = folder / "timed.json"
    lines = [{"ts": 1.5e9 + at + 1e-4, "method": "GET", "uri": f"/{n}"} for n, at in enumerate(at_s)]
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return log


def replay(capture: Path, **keys: Any) -> Replay:
    return Replay(capture=capture, requests_per_round=keys.pop("requests", 4), **keys)


def test_without_a_timing_a_round_is_the_fixed_rate(capture: Write) -> None:
    rules = replay(capture(*[f"GET /{n}" for n in range(6)]), rate_rps=50.0)
    read = capture_of(rules)
    assert round_of(rules, read, 1) == at_rate(read, 50.0, requests=4, start=4)
    assert mean_rate_rps(rules, read) == 50.0


def test_the_captures_own_timing_goes_on_where_the_last_round_ended(tmp_path: Path) -> None:
    """Three pauses of 1, 2 and 6 s: 3 s on average, which lie between its end and its beginning again."""
    rules = replay(timed(tmp_path, 0, 1, 3, 9), requests=3, timing=Timing(kind="original", speed=2.0))
    read = capture_of(rules)
    first, second = (round_of(rules, read, number) for number in (0, 1))
    assert list(first.target) == [0, 1, 2]
    assert list(first.due_s) == pytest.approx([0, 0.5, 1.5])
    assert list(second.target) == [3, 0, 1]
    assert list(second.due_s) == pytest.approx([0, 1.5, 2.0])
    assert second.records == 3
    assert mean_rate_rps(rules, read) == pytest.approx(2 / 3)


def test_poisson_rounds_differ_from_each_other_and_not_from_themselves(tmp_path: Path) -> None:
    rules = replay(timed(tmp_path, 0, 1), requests=400, timing=Timing(kind="poisson"), rate_rps=100.0, seed=3)
    read = capture_of(rules)
    first, second = (round_of(rules, read, number) for number in (0, 1))
    assert first == round_of(rules, read, 0)
    assert list(first.due_s) != list(second.due_s)
    assert len(first) == 400
    assert 3.2 < first.due_s[-1] < 4.8  # 4 s on average, 0.2 s one sigma


def test_a_ramp_rises_within_each_round(tmp_path: Path) -> None:
    timing = Timing(kind="ramp", from_rps=100.0, to_rps=300.0)
    rules = replay(timed(tmp_path, 0, 1, 2), requests=400, timing=timing)
    read = capture_of(rules)
    plan = round_of(rules, read, 1)
    assert (len(plan), plan.target[0], mean_rate_rps(rules, read)) == (400, 1, 200.0)
    assert plan.due_s[1] == pytest.approx(1 / 100, rel=0.02)
    assert plan.due_s[-1] - plan.due_s[-2] == pytest.approx(1 / 300, rel=0.02)


def test_the_selection_is_the_sites(capture: Write) -> None:
    log = capture("GET /a/1", "GET /a/old", "GET /b")
    chosen = Selected(only=("^/a",), without=("old",), rewrites=("^/a/=>/new/",))
    read = capture_of(replay(log, select=chosen))
    assert [target.path for target in read.targets] == ["/new/1"]


def posts(folder: Path) -> Path:
    log = folder / "targets.json"
    body = base64.b64encode(b"item=7").decode()
    asked: list[dict[str, str]] = [{"method": "GET", "url": "http://a/echo"}]
    asked += [{"method": "POST", "url": "http://a/echo", "body": body}] * 3
    log.write_text("".join(f"{json.dumps(each)}\n" for each in asked))
    return log


def test_unsafe_methods_are_replayed_only_where_the_site_says_so(start_server: Start, tmp_path: Path) -> None:
    """And the comparison of answers leaves them out: it asks each request three times."""
    log = posts(tmp_path)
    assert [target.method for target in capture_of(replay(log)).targets] == ["GET"]
    rules = replay(log, select=Selected(unsafe=True), timing=Timing(kind="poisson"), rate_rps=100.0, rounds=3)
    read = capture_of(rules)
    assert sorted(target.method for target in read.targets) == ["GET", "POST"]
    _, url = start_server()
    campaign = campaign_of(rules, {"source": url, "target": url}, tmp_path / "rounds", slo_ms=10_000)
    next(campaign.run_pairs())
    assert campaign.response["source"]["*"].total == 4
    assert campaign.summary()["bodies"]["same"] == 2  # what /echo gave back has the body
    ends = (campaign.endpoints["source"], campaign.endpoints["target"])
    result = compare_capture(read, ends, tmp_path / "answers", Rules(), 10, lambda done, total: None)
    assert (result["compared"], result["equal"]) == (1, True)


def test_broken_lines_are_tolerated_as_declared(capture: Write) -> None:
    log = capture("GET /a")
    log.write_text(f"junk\n{log.read_text()}")
    assert len(capture_of(replay(log, max_bad=1))) == 1


def test_connect_to_is_named_by_the_site_file() -> None:
    rules = replay(Path("c"), target=Reached(connect_to="127.0.0.1:8081"))
    found = endpoint_at(rules, "target", "http://shop.invalid", ("shop.invalid",))
    assert (found.where, found.host_header) == ("127.0.0.1:8081", "shop.invalid")


def test_a_campaign_reaches_each_side_in_its_own_way(
    start_server: Start, capture: Write, tmp_path: Path, certificate: Path
) -> None:
    """One URL for both sides, which no DNS knows; only the target's certificate is of an own authority."""
    _, source = start_server("a", "0", str(certificate))
    _, target = start_server("b", "0", str(certificate))
    rules = Replay(
        capture=capture("GET /side"),
        requests_per_round=40,
        rounds=3,
        timing=Timing(kind="ramp", from_rps=100.0, to_rps=300.0),
        source_addresses=("127.0.0.1",),
        source=Reached(ca_file=certificate, connect_to=source.removeprefix("http://")),
        target=Reached(ca_file=certificate, connect_to=target.removeprefix("http://")),
    )
    urls = dict.fromkeys(("source", "target"), f"https://{NAME}")
    campaign = campaign_of(rules, urls, tmp_path / "rounds", allow=(NAME,), slo_ms=10_000)
    assert campaign.endpoints["source"].where != campaign.endpoints["target"].where
    next(campaign.run_pairs())
    assert campaign.summary()["bodies"]["different"] == 1  # each answered for itself
    told = json.loads(next((tmp_path / "rounds").glob("round-01-target-*/result.json")).read_text())
    assert told["tls"].startswith("TLSv1.")
    assert told["source_addresses"] == ["127.0.0.1"]
    assert told["pace"].startswith("from 100 to 300 requests/s")
    pilot = campaign_of(rules, urls, tmp_path / "pilot", allow=(NAME,), pilot=True)
    assert {each.where for each in pilot.endpoints.values()} == {campaign.endpoints["source"].where}


def test_a_capture_is_still_read_as_it_was(capture: Write) -> None:
    log = capture("GET /a", "GET /b")
    assert capture_of(replay(log)) == read_capture(log)
