"""The table of the replay's faults against the tests that it names, and the faults that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tasks.replay.records import Fault
from tests.replay.rude import BEHAVIOURS
from tests.replay.rude_http2 import BEHAVIOURS as OVER_HTTP2

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "replay-faults.md").read_text()
NAMED = re.compile(r"`((?:spread/)?test_\w+)::(test_\w+)`")
AS_IT_SHOULD_BE = {"/well", "/where-from"}


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_row_names_tests_and_they_exist() -> None:
    found = [row for row in rows() if row[-1] != "test"]
    assert len(found) > 30
    for row in found:
        named = NAMED.findall(row[-1])
        assert named, row[0]
        for file, test in named:
            tree = ast.parse((ROOT / "tests" / "replay" / f"{file}.py").read_text())
            assert test in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, test


def test_the_faults_of_answers_are_those_that_are_counted() -> None:
    known = {fault.name.lower() for fault in Fault}
    of_answers = PAGE.partition("## Answers")[2].partition("## Connections")[0]
    told = [line for line in of_answers.splitlines() if line.startswith("| ")][1:]
    assert len(told) > 15
    for line in told:
        fault = line.split(" | ")[1]
        assert set(re.findall(r"`(\w+)`", fault)) <= known, line
        assert "`" in fault or fault.startswith(("none", "any", "those above")), line


def test_every_way_to_misbehave_is_in_the_table() -> None:
    over_http2 = PAGE.partition("## HTTP/2")[2].partition("## The generator")[0]
    assert sorted(path for path in set(BEHAVIOURS) - AS_IT_SHOULD_BE if f"`{path}`" not in PAGE) == []
    assert sorted(path for path in set(OVER_HTTP2) - AS_IT_SHOULD_BE if f"`{path}`" not in over_http2) == []
