"""Real servers on loopback, each a process of its own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.replay.certificates import NAME, self_signed

Start = Callable[..., tuple[subprocess.Popen[str], str]]
SERVER = Path(__file__).with_name("server.py")


@pytest.fixture
def start_server() -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), *arguments], stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        return process, f"http://127.0.0.1:{process.stdout.readline().strip()}"

    yield start
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def capture(tmp_path: Path) -> Callable[..., Path]:
    def write(*requests: str) -> Path:
        log = tmp_path / "capture.log"
        log.write_text(
            "".join(
                f'203.0.113.5 - - [04/Oct/2015:13:55:36 +0200] "{request} HTTP/1.1" 200 5 "-" "-"\n'
                for request in requests
            )
        )
        return log

    return write


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path / "server.pem", NAME)
