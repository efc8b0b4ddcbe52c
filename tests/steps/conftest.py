"""An opened workplace on the fakes, and flows whose tasks are plain functions: no Prefect server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from prefect.tasks import Task

from inventory.models.finding import Finding
from inventory.models.stage import StageResult
from tasks.steps import approve, cutover, finalize, move, move_plan, replay, rollback, workplace
from tasks.steps.workplace import Workplace, opened
from tests.inventory.sites import WHOLE, folder_with
from tests.steps.fakes import World

QUICK = "cutover: {step_hold_s: 0.002, soak_s: 100, revert_within_s: 10}\n"
STANDING = "approval: {approver: Kari Nordmann, reason: The tests of the cutover.}\n"
EFFECTS = ("stage/", "edge/", "dns/", "database/")


class Heard:
    """A `Progress` that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.findings: list[Finding] = []
        self.ended: list[StageResult] = []

    def stage_started(self, name: str) -> None:
        """Not looked at."""

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """Not looked at."""

    def pause(self) -> None:
        """Not looked at."""

    def say(self, text: str) -> None:
        self.said.append(text)

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)

    def stage_ended(self, result: StageResult) -> None:
        self.ended.append(result)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(workplace, "SystemClock", lambda: made.clock)
    monkeypatch.setattr(cutover, "TRAFFIC_PATIENCE_S", 0.1)
    return made


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    return folder_with(tmp_path / "site", WHOLE.read_text() + QUICK + STANDING)


Opening = Callable[[], AbstractContextManager[Workplace]]


@pytest.fixture
def opening(site_file: Path, world: World, heard: Heard) -> Opening:
    return lambda: opened(site_file, progress=heard, actor="tests", make_drivers=world.drivers)


@pytest.fixture
def place(opening: Opening) -> Iterator[Workplace]:
    with opening() as one:
        yield one


@pytest.fixture
def plain_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows' bodies (`flow.fn`) then run with no server: each task is the function that it wraps."""
    for module in (approve, cutover, finalize, move, move_plan, replay, rollback):
        for name, value in list(vars(module).items()):
            if isinstance(value, Task):
                monkeypatch.setattr(module, name, value.fn)


def subjects(place: Workplace, *prefixes: str) -> list[str]:
    """`kind subject` of the ledger's entries, oldest first."""
    return [
        f"{entry.kind} {entry.subject}"
        for entry in place.ledger.entries()
        if not prefixes or entry.subject.startswith(prefixes)
    ]


def finding(code: str = "TST-01", verdict: str = "pass", **more: Any) -> Finding:
    return Finding(code=code, subject="oslo-1", verdict=verdict, observed=f"it is {verdict}", **more)
