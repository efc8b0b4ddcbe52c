"""The rounds that the latency gate judges, as a model and as a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inventory.errors import BadInput, Problem

Percentile = Literal["p50", "p95", "p99"]
Vantage = Literal["client", "server"]
PERCENTILES: tuple[Percentile, ...] = ("p50", "p95", "p99")


class Round(BaseModel):
    """One side's figures of one route in one round; `*` is the route over all.

    `vantage` says where they were taken: by the client that sent the requests, or by the server itself.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    round: int = Field(ge=0)
    side: Literal["source", "target"]
    route: str = Field(min_length=1)
    vantage: Vantage = "client"
    requests: int = Field(ge=0)
    errors: int = Field(ge=0)
    p50_ms: float = Field(gt=0, allow_inf_nan=False)
    p95_ms: float = Field(gt=0, allow_inf_nan=False)
    p99_ms: float = Field(gt=0, allow_inf_nan=False)

    def value_ms(self, percentile: Percentile) -> float:
        """The percentile's latency."""
        return float(getattr(self, f"{percentile}_ms"))


class MachineReading(BaseModel):
    """What one machine had to do during a run; shares are 0..1. None was not observed: `missing` says why.

    `own_kernel` None: nobody could tell. A container's steal is that of the machine beneath it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    machine: str = Field(min_length=1)
    part: Literal["source", "target", "generator"]
    own_kernel: bool | None = None
    cpu_busy: float | None = Field(default=None, ge=0, le=1)
    steal: float | None = Field(default=None, ge=0, le=1)
    conntrack_count: int | None = Field(default=None, ge=0)  # the larger of before and after
    conntrack_max: int | None = Field(default=None, ge=0)
    tcp_sent: int | None = Field(default=None, ge=0)  # segments, first sendings
    tcp_resent: int | None = Field(default=None, ge=0)  # segments
    missing: str = ""

    @property
    def conntrack(self) -> float | None:
        """How full the table was, 0..1."""
        if self.conntrack_count is None or not self.conntrack_max:
            return None
        return self.conntrack_count / self.conntrack_max


class Reading(BaseModel):
    """The machines of the loaded side and the generator's own, over one run; `valid` as the run was."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    round: int = Field(ge=0)
    side: Literal["source", "target"]
    attempt: int = Field(default=1, ge=1)
    valid: bool = True
    machines: tuple[MachineReading, ...]


class Rounds(BaseModel):
    """`planned_rounds` None: as many as the highest round number says, and at least 12."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    planned_rounds: int | None = Field(default=None, ge=1)
    rounds: tuple[Round, ...] = Field(min_length=1)
    readings: tuple[Reading, ...] = ()  # empty: none were taken


def read_rounds(path: Path) -> Rounds:
    """Raises BadInput, with the line of each item that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the rounds cannot be read: {error}", path) from error
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise BadInput(f"not JSON: {getattr(error, 'msg', 'nested too deeply')}", path, line) from error
    return rounds_of(content, text, path)


def rounds_of(content: Any, text: str = "", path: Path | str | None = None) -> Rounds:
    """Checks parsed JSON; `text` is only for the lines of what is wrong. Raises BadInput."""
    try:
        rounds = Rounds.model_validate(content)
    except ValidationError as error:
        lines = _item_lines(text)
        problems = [
            Problem(_line(e["loc"], lines), 0, f"{_place(e['loc'])}: {e['msg']}") for e in error.errors()
        ]
        raise BadInput.listing(path or "rounds", problems) from error
    lines = _item_lines(text)
    seen: set[tuple[int, str, str, str]] = set()
    for number, item in enumerate(rounds.rounds):
        what = ""
        if (key := (item.round, item.side, item.route, item.vantage)) in seen:
            seen_by = " of the server" if item.vantage == "server" else ""
            what = f"round {item.round}, {item.side}, route {item.route}{seen_by} stands there twice"
        elif item.errors > item.requests:
            what = f"{item.errors} errors of {item.requests} requests"
        if what:
            raise BadInput(f"rounds[{number}]: {what}", path, _line(("rounds", number), lines) or None)
        seen.add(key)
    return rounds


def _place(loc: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".") or "file"


def _line(loc: tuple[int | str, ...], lines: list[int]) -> int:
    if len(loc) > 1 and loc[0] == "rounds" and isinstance(loc[1], int) and loc[1] < len(lines):
        return lines[loc[1]]
    return 0


def _item_lines(text: str) -> list[int]:
    """The line on which each item of `rounds` begins: the opening braces one level inside that list."""
    lines, depth, line, at, in_list = [], 0, 1, text.find('"rounds"'), False
    if at < 0:
        return []
    line += text.count("\n", 0, at)
    position, decoder = at + len('"rounds"'), json.JSONDecoder()
    while position < len(text):
        character = text[position]
        line += character == "\n"
        if character == '"':
            _, end = decoder.raw_decode(text, position)
            position = end
            continue
        if character in "[{":
            depth += 1
            if not in_list and character == "[":
                in_list = True
            elif in_list and depth == 2:
                lines.append(line)
        elif character in "]}":
            depth -= 1
            if in_list and depth == 0:
                break
        position += 1
    return lines
