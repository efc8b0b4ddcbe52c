"""One real Prefect server for the session; sites on the fakes of the steps' tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.steps.conftest import heard, opening, site_file, world

__all__ = ["heard", "opening", "site_file", "world"]  # the flows' tests stand on the same fakes


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
