"""The server that a run stands on: whose process counts in what the orchestrator used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import orchestrator
from flows.cli.running import Running
from flows.orchestrator import NOTE, Server, note, usage_of
from tests.inventory.sites import whole

URL = "http://127.0.0.1:4200/api"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """The process of a server that outlives the run, as that of a kept site."""
    monkeypatch.setenv("PREFECT_API_URL", URL)
    program = "import time; held = bytes(50_000_000); print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", program, "prefect"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    yield process
    process.kill()
    process.wait()


def pid_of(home: Path) -> int | None:
    with orchestrator.server(home) as server:
        return server.pid


def test_the_server_of_a_kept_site_is_known_by_its_note(
    kept: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert pid_of(tmp_path) is None
    note(tmp_path, Server(URL, kept.pid))
    assert pid_of(tmp_path) == kept.pid
    assert (tmp_path / NOTE).exists(), "who only uses it leaves its note"


def test_a_note_of_another_server_or_a_dead_one_does_not_count(
    kept: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    note(tmp_path, Server("http://127.0.0.1:4201/api", kept.pid))
    assert pid_of(tmp_path) is None
    note(tmp_path, Server(URL, os.getpid()))
    assert pid_of(tmp_path) is None, "this process is no Prefect server: the id was given anew"
    note(tmp_path, Server(URL, kept.pid))
    kept.kill()
    kept.wait()
    assert pid_of(tmp_path) is None


def test_its_memory_is_the_orchestrators(kept: subprocess.Popen[bytes], tmp_path: Path) -> None:
    file = whole(tmp_path / "site")
    home = file.parent / "state" / "prefect"
    home.mkdir(parents=True)
    note(home, Server(URL, kept.pid))
    with Running(file) as running:
        figures = running.orchestrator_figures()
    alone = usage_of(os.getpid()).peak_rss_mb
    assert figures["orchestrator_is"] == "this process and its Prefect server"
    assert float(figures["orchestrator_peak_rss_mb"]) > alone + 5
