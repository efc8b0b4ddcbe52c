"""`replay capture` without an edge: what ends it, what is left of it, and what it refuses."""

from __future__ import annotations

import json
import resource
import secrets
import signal
import socket
import time
from pathlib import Path

import pytest

from tasks.replay.capture import read_capture
from tests.cli.conftest import Command, command, untouched
from tests.replay.running_recorder import address, recorder
from tests.replay.test_edges import haproxy

__all__ = ["address", "command"]  # fixtures


def told(address: str, count: int, pause_s: float = 0.0, path: str = "/a/") -> None:
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as edge:
        for number in range(count):
            edge.sendto(haproxy("GET", f"{path}{number}", {}), (host, int(port)))
            time.sleep(pause_s)


def test_one_that_is_killed_leaves_what_was_settled(tmp_path: Path, address: str) -> None:
    with recorder(tmp_path, address) as run:
        told(address, 30, 0.1)
        run.process.kill()
        run.process.wait()
    assert 10 <= len(read_capture(run.out)) <= 30


def test_one_that_is_killed_at_work_leaves_whole_frames(tmp_path: Path, address: str) -> None:
    with recorder(tmp_path, address) as run:
        while run.out.stat().st_size == 0:  # as a rule within megabytes, not after a second
            told(address, 200, path=f"/{secrets.token_hex(3000)}")
        run.process.kill()
        run.process.wait()
    assert len(read_capture(run.out)) > 0


def test_a_full_disk_ends_it_and_what_was_written_can_be_read(tmp_path: Path, address: str) -> None:
    with recorder(tmp_path, address) as run:
        limited = False
        while run.process.poll() is None:
            told(address, 20, path=f"/{secrets.token_hex(200)}")
            time.sleep(0.1)
            if not limited and (full := run.out.stat().st_size):  # the first frame is in
                resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (full + 100, full + 100))
                limited = True
    assert run.process.returncode == 3
    assert f"{run.out}: cannot be written: File too large" in (tmp_path / "stderr").read_text()
    assert len(read_capture(run.out)) >= 20


@pytest.mark.parametrize(
    ("options", "ended"), [(("--duration", "1.5"), "duration"), (("--max-mb", "0.0001"), "max_mb")]
)
def test_it_ends_by_itself(tmp_path: Path, address: str, options: tuple[str, str], ended: str) -> None:
    with recorder(tmp_path, address, *options) as run:
        told(address, 13, 0.1)
        run.process.wait(20)
    statement = json.loads((tmp_path / "stdout").read_bytes())
    assert (run.process.returncode, statement["ended"]) == (0, ended)
    assert statement["bytes"] == run.out.stat().st_size
    assert len(read_capture(run.out)) == statement["recorded"] > 3


def test_what_the_kernel_dropped_is_told(tmp_path: Path, address: str) -> None:
    with recorder(tmp_path, address, "--bodies") as run:
        told(address, 1)
        run.process.send_signal(signal.SIGSTOP)
        told(address, 4000, path="/" + "a" * 8000)
        run.process.send_signal(signal.SIGCONT)
        statement = run.stop(signal.SIGTERM)
    assert statement["lost"] > 0
    assert statement["received"] + statement["lost"] <= 4001


def test_where_nothing_comes_there_is_no_capture(command: Command, tmp_path: Path, address: str) -> None:
    out = tmp_path / "c"
    said = command("replay", "capture", "--out", out, "--listen", address, "--duration", 0.3)
    assert said.code == 1
    assert "nothing came: are the lines of `--show` in the edge" in said.out
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give --out FILE to record, or --show haproxy or --show nginx"),
        (("--show", "apache"), "no edge is named 'apache'; known: haproxy, nginx"),
        (("--out", "x", "--listen", "10.0.0.1:5514"), "only a loopback address"),
        (("--out", "x", "--listen", "localhost"), "write ADDRESS:PORT, as 127.0.0.1:5514"),
        (("--out", "x", "--listen", "127.0.0.1:0"), "a port lies between 1 and 65535"),
        (("--out", "x", "--share", "0"), "--share 0; allowed: above 0, at most 1"),
        (("--out", "x", "--duration", "-1"), "--duration -1; allowed: seconds above 0"),
        (("--out", "x", "--max-mb", "0"), "--max-mb 0; allowed: above 0"),
        (("--out", "x", "--only", "("), "--only '(' is not a regular expression"),
        (("--out", "there"), "there: the file exists; a recording is not written over"),
        (("--out", "no/x"), "no/x: cannot be written: No such file or directory"),
    ],
)
def test_bad_input_touches_nothing(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_text("somebody's")
    with untouched(tmp_path):
        said = command("replay", "capture", *options)
    assert said.code == 2
    assert message in said.err
