"""The rounds file: every mistake has its place and its words."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from tasks.gates.latency import judge_latency_file
from tasks.gates.rounds_file import rounds_of
from tests.gates.test_latency import rounds_of as some_rounds
from tests.gates.test_latency import wobbling


def content(ratio: float = 0.6) -> dict[str, Any]:
    return {"rounds": [r.model_dump() for r in some_rounds(wobbling(ratio, 12))]}


def written(folder: Path, value: Any) -> Path:
    path = folder / "rounds.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1))
    return path


def test_a_file_is_judged(tmp_path: Path) -> None:
    document = judge_latency_file(written(tmp_path, content()))
    assert document["verdict"] == "pass"
    json.dumps(document, allow_nan=False)
    assert set(document["routes"]["*"]["p95"]) >= {
        *("ratio", "lower", "upper", "margin", "verdict", "rounds", "sigma_d", "rounds_needed")
    }


def test_margins_from_the_command_line(tmp_path: Path) -> None:
    path = written(tmp_path, content(1.3))
    assert judge_latency_file(path)["verdict"] == "fail"
    wide = {"p50": 0.5, "p95": 0.5, "p99": 0.5}
    assert judge_latency_file(path, wide)["verdict"] == "pass"
    for margins, what in (
        ({"p98": 0.1}, "no such percentile; allowed: p50, p95, p99"),
        ({"p50": -1}, "above 0"),
    ):
        with pytest.raises(BadInput, match=what):
            judge_latency_file(path, margins)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"side": "left"}, r"rounds\.json:14: rounds\[1\]\.side: Input should be 'source' or 'target'"),
        ({"p99_ms": -1.0}, r"rounds\.json:14: rounds\[1\]\.p99_ms: .*greater than 0"),
        ({"p99_ms": "60"}, r"rounds\.json:14: rounds\[1\]\.p99_ms: "),
        ({"errors": 6000}, r"rounds\.json:14: rounds\[1\]: 6000 errors of 5000 requests"),
        ({"side": "source"}, r"rounds\.json:14: rounds\[1\]: round 1, source, route \* stands there twice"),
        ({"route": ""}, r"rounds\.json:14: rounds\[1\]\.route"),
    ],
)
def test_a_wrong_item_is_told_with_its_line(tmp_path: Path, change: dict[str, Any], what: str) -> None:
    wrong = content()
    wrong["rounds"][1] |= change
    with pytest.raises(BadInput, match=what):
        judge_latency_file(written(tmp_path, wrong))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "rounds.json:1: not JSON: Expecting value"),
        ('{"rounds": [\n{]}', "rounds.json:2: not JSON"),
        ("[]", "rounds.json: file: "),
        ("{}", "rounds.json: rounds: Field required"),
        ('{"rounds": []}', "rounds.json: rounds: "),
        ('{"rounds": [7]}', r"rounds.json: rounds\[0\]: "),
    ],
)
def test_what_is_no_rounds_file(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(BadInput, match=what):
        judge_latency_file(written(tmp_path, text))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        judge_latency_file(tmp_path / "none.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.just("rounds"), inner)
    ),
    max_leaves=8,
)


@given(json_values)
def test_any_json_is_rounds_or_bad_input(value: Any) -> None:
    try:
        rounds = rounds_of(value, json.dumps(value), "x.json")
    except BadInput as error:
        assert str(error).startswith("x.json")
    else:
        assert rounds.rounds
