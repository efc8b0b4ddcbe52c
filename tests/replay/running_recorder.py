"""`replay capture` in a process of its own."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.real_edge import free_port
from tests.replay.real_edges import wait_until


@dataclass
class Recorder:
    """The command, in a process of its own."""

    process: subprocess.Popen[bytes]
    out: Path
    said: Path

    def stop(self, by: signal.Signals = signal.SIGINT) -> dict[str, Any]:
        self.process.send_signal(by)
        self.process.wait(20)
        answer: dict[str, Any] = json.loads((self.said / "stdout").read_bytes() or b"{}")
        return answer


@contextlib.contextmanager
def recorder(folder: Path, address: str, *more: str) -> Iterator[Recorder]:
    out = folder / "capture.gor.zst"
    argv = ["-m", "flows.cli", "replay", "capture", "--listen", address, "--out", str(out), "--json", *more]
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen([sys.executable, *argv], stdout=stdout, stderr=stderr)
    try:
        wait_until(out.exists, lambda: (folder / "stderr").read_text())
        yield Recorder(process, out, folder)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port()}"
