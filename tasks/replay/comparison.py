"""Do both sides answer the same? Three answers to each request: of the source, of it again, of the target.

An answer becomes a text of lines: status, the headers that are compared, the body (JSON with its keys sorted,
a value a line). What the rules ignore is overwritten in it. Lines in which the source differs from itself are
noise, learned for this request, and are ignored in the target's answer as well; a source that does not even
have the same number of lines twice is `varying`, and says nothing. What then differs is a difference.

Personal data is compared as it is, and scrubbed in what is shown.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import xxhash
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.parser import parse

from inventory.errors import BadInput
from inventory.models.replay import COMPARED_HEADERS
from tasks.replay.capture import Target
from tasks.replay.scrub import scrubbed_text

SHOWN = 20
MAX_DIFF_LINES = 200
IGNORED = "(ignored)"


@dataclass(frozen=True)
class Answer:
    """A complete answer, header names in lower case; or `fault`: why there is none."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: str = ""


Ask = Callable[[Target], Answer]


class Rules:
    """`json_paths` overwrite values of JSON bodies, `patterns` text of any line; `headers` are compared.

    Raises BadInput for what is neither.
    """

    def __init__(
        self,
        json_paths: Iterable[str] = (),
        patterns: Iterable[str] = (),
        headers: Iterable[str] = COMPARED_HEADERS,
    ) -> None:
        self._paths = [_json_path(text) for text in json_paths]
        self._patterns = [_pattern(text) for text in patterns]
        self._headers = sorted(name.lower() for name in headers)

    def lines(self, answer: Answer) -> list[str]:
        """The text that is compared."""
        said = [f"{name}: {answer.headers[name]}" for name in self._headers if name in answer.headers]
        lines = [f"status {answer.status}", *said, "", *self._body(answer.body)]
        for pattern in self._patterns:
            lines = [pattern.sub(IGNORED, line) for line in lines]
        return lines

    def _body(self, body: bytes) -> list[str]:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return [f"{len(body)} bytes, xxh3 {xxhash.xxh3_64_hexdigest(body)}"]
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return text.splitlines()
        for path in self._paths:
            found = path.update(found, IGNORED)
        return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False).splitlines()


@dataclass
class Comparison:
    """Counts, one a request; `learned_noise` are requests of which some lines were ignored as noise."""

    compared: int = 0
    same: int = 0
    different: int = 0
    varying: int = 0
    unanswered: int = 0
    learned_noise: int = 0
    first_differences: list[dict[str, Any]] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether something was compared and nothing differs; no answer is never the same answer."""
        return self.compared > 0 and not self.different and not self.unanswered


def compare(
    requests: Iterable[Target],
    source: Ask,
    target: Ask,
    rules: Rules,
    on_progress: Callable[[int], None],
) -> Comparison:
    """Asks one request after the other; only those of the source and of the target are asked."""
    found = Comparison()
    for number, request in enumerate(requests, start=1):
        first, again, other = source(request), source(request), target(request)
        _count(found, request, (first, again, other), rules)
        on_progress(number)
    return found


def _count(found: Comparison, request: Target, answers: tuple[Answer, Answer, Answer], rules: Rules) -> None:
    faults = [
        f"{side}: {a.fault}"
        for side, a in zip(("source", "source", "target"), answers, strict=True)
        if a.fault
    ]
    if faults:
        found.unanswered += 1
        _show(found, request, faults)
        return
    before, again, after = (rules.lines(answer) for answer in answers)
    if len(before) != len(again):
        found.varying += 1
        return
    noise = {n for n, (a, b) in enumerate(zip(before, again, strict=True)) if a != b}
    found.compared += 1
    found.learned_noise += bool(noise)
    if len(after) == len(before):
        for n in noise:
            before[n] = after[n] = IGNORED
    if before == after:
        found.same += 1
        return
    found.different += 1
    diff = difflib.unified_diff(before, after, "source", "target", lineterm="", n=2)
    _show(found, request, [scrubbed_text(line) for line in diff][:MAX_DIFF_LINES])


def _show(found: Comparison, request: Target, lines: list[str]) -> None:
    if len(found.first_differences) < SHOWN:
        found.first_differences.append({"request": f"{request.method} {request.path}", "diff": lines})


def _json_path(text: str) -> Any:
    try:
        return parse(text)
    except JSONPathError as error:
        raise BadInput(
            f"--ignore-json {text!r} is not a JSONPath, as '$.items[*].seen_at': {error}"
        ) from error


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise BadInput(f"--ignore {text!r} is not a regular expression: {error}") from error
