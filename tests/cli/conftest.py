"""Commands in this process, with the flows' bodies but without a Prefect server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.cli import running
from flows.cli.exits import answering
from flows.cli.root import app
from flows.orchestrator import Server
from tests.inventory.sites import snapshot


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = answering(app, [str(each) for each in arguments])
        said = capsys.readouterr()
        return Said(int(code), said.out, said.err)

    return run


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """In place of the Prefect server: who would have started one, and flows as plain functions."""
    from prefect.tasks import Task

    import flows.exit
    from tasks.steps import (
        approve,
        capacity,
        cluster,
        cutover,
        etcd,
        exchanges,
        finalize,
        gate,
        move,
        move_plan,
        network,
        plan,
        prepare,
        replay,
        rollback,
        survey,
        upgrade,
    )

    started: list[Path] = []

    @contextmanager
    def server(home: Path) -> Iterator[Server]:
        started.append(home)
        yield Server("http://127.0.0.1:1/api", None)

    monkeypatch.setattr(running, "server", server)
    rooms = (approve, cluster, cutover, etcd, finalize, gate, move, network, plan, prepare, replay, rollback)
    rooms = (*rooms, capacity, exchanges, move_plan, survey, upgrade)
    for module in rooms:
        for name, value in list(vars(module).items()):
            if isinstance(value, Task):
                monkeypatch.setattr(module, name, value.fn)
    plain: dict[str, Any] = {name: flow.fn for name, flow in flows.exit.FLOWS.items()}
    monkeypatch.setattr(flows.exit, "FLOWS", plain)
    monkeypatch.setattr(flows.exit, "exit_flow", flows.exit.exit_flow.fn)
    return started


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Nothing below the folder may be made or changed."""
    before = (sorted(folder.rglob("*")), snapshot(folder))
    yield
    assert (sorted(folder.rglob("*")), snapshot(folder)) == before
