"""One real Prefect server for the session; sites on the fakes of the steps' tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tasks.steps import cutover, workplace
from tasks.steps.workplace import Workplace, opened
from tests.inventory.sites import WHOLE, folder_with
from tests.steps.conftest import QUICK, STANDING, Heard
from tests.steps.fakes import World

Opening = Callable[[], AbstractContextManager[Workplace]]


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ["DO_NOT_TRACK"] = "1"
    from prefect.settings import temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    from flows.orchestrator import without_heartbeats

    with (
        prefect_test_harness(server_startup_timeout=120),
        without_heartbeats(),
        temporary_settings({"logging.level": "CRITICAL"}),
    ):
        yield


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


@pytest.fixture
def opening(site_file: Path, world: World, heard: Heard) -> Opening:
    return lambda: opened(site_file, progress=heard, actor="tests", make_drivers=world.drivers)
