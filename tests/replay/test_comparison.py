"""Comparing answers: noise is learned, rules ignore, what differs is shown, no answer is no sameness."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from tasks.replay.capture import Target
from tasks.replay.compare_run import compare_sides
from tasks.replay.comparison import Answer, Comparison, Rules, compare
from tests.replay.conftest import Start

PAGE = Target("GET", "/a", "/a")
HTML = {"content-type": "text/html"}
ticks = itertools.count()


def compared(
    source: Callable[[], Answer], target: Callable[[], Answer], rules: Rules | None = None
) -> Comparison:
    return compare([PAGE], lambda _: source(), lambda _: target(), rules or Rules(), lambda _: None)


def document(**more: object) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(more).encode())


def test_noise_of_the_source_is_learned_and_the_rest_is_compared() -> None:
    def shop(price: int) -> Callable[[], Answer]:
        return lambda: document(price=price, token=next(ticks))

    assert compared(shop(5), shop(5)).equal
    assert compared(shop(5), shop(5)).learned_noise == 1
    found = compared(shop(5), shop(6))
    assert (found.different, found.equal) == (1, False)
    diff = found.first_differences[0]["diff"]
    assert [line for line in diff if line[0] in "+-"][2:] == ['- "price": 5,', '+ "price": 6,']


def test_rules_ignore_by_json_path_and_pattern() -> None:
    def of(at: str) -> Callable[[], Answer]:
        return lambda: document(items=[{"id": 1, "at": at}, {"id": 2, "at": at}])

    assert not compared(of("10:00"), of("11:00")).equal
    assert compared(of("10:00"), of("11:00"), Rules(json_paths=["$.items[*].at"])).equal
    assert compared(of("10:00"), of("11:00"), Rules(patterns=[r"\d\d:00"])).equal
    assert not compared(of("10:00"), of("11:00"), Rules(json_paths=["$.items[*].id"])).equal


def test_status_and_headers_count_and_others_do_not() -> None:
    page = Answer(200, HTML | {"server": "nginx"}, b"a")
    assert compared(lambda: page, lambda: Answer(200, HTML | {"server": "haproxy"}, b"a")).equal
    assert compared(lambda: page, lambda: Answer(404, HTML, b"a")).different == 1
    assert compared(lambda: page, lambda: Answer(200, {}, b"a")).different == 1
    assert not compared(lambda: page, lambda: Answer(200, HTML, b"a"), Rules(headers=["Server"])).equal


def test_no_answer_is_never_the_same_answer() -> None:
    lost = Answer(fault="timed out")
    found = compared(lambda: lost, lambda: lost)
    assert (found.unanswered, found.compared, found.equal) == (1, 0, False)
    assert found.first_differences[0]["diff"][0] == "source: timed out"


def test_a_source_of_varying_length_says_nothing() -> None:
    def lines() -> Answer:
        return Answer(200, HTML, b"x\n" * next(ticks))

    found = compared(lines, lambda: Answer(200, HTML, b"x"))
    assert (found.varying, found.compared, found.equal) == (1, 0, False)


def test_personal_data_is_compared_but_not_shown() -> None:
    found = compared(
        lambda: Answer(200, HTML, b"kari@fjord.example"), lambda: Answer(200, HTML, b"ola@fjord.example")
    )
    assert found.different == 1
    assert "fjord.example" not in json.dumps(found.first_differences)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_bodies_are_the_same_only_where_they_read_the_same(one: bytes, other: bytes) -> None:
    found = compared(lambda: Answer(200, HTML, one), lambda: Answer(200, HTML, other))
    if one == other:
        assert found.same == 1
    elif found.same:  # the same text or JSON, written otherwise
        assert Rules().lines(Answer(200, HTML, one)) == Rules().lines(Answer(200, HTML, other))


def test_rules_that_are_none() -> None:
    with pytest.raises(BadInput, match="is not a JSONPath"):
        Rules(json_paths=["$.["])
    with pytest.raises(BadInput, match="is not a regular expression"):
        Rules(patterns=["("])


def test_two_servers(start_server: Start, capture: Callable[..., Path], tmp_path: Path) -> None:
    source, target = start_server("a")[1], start_server("b")[1]
    paths = ["/same", "/side", "/noise", "/status/404", "/garbage", "/long", "/chunked"]
    log = capture(*(f"GET {path}" for path in paths), "HEAD /same")
    told: list[int] = []
    found = compare_sides(
        log, source, target, tmp_path / "out", Rules(), requests=20, on_progress=lambda n, _: told.append(n)
    )
    counts = {name: found[name] for name in ("compared", "same", "different", "unanswered", "learned_noise")}
    assert counts == {"compared": 6, "same": 5, "different": 1, "unanswered": 2, "learned_noise": 1}
    report = (tmp_path / "out" / "differences.diff").read_text()
    assert "=== GET /side\n--- source\n+++ target\n" in report
    assert "\n-a\n+b\n" in report
    assert told[-1] == 8
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == found
