"""A build that is killed, and two at once: real processes, with a stand-in for the Go tool."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rehearsal import parts
from tests.rehearsal.test_parts import TINY, Said

# Notes its own process and a "compiler" that it starts, then works until it is told to finish.
GO = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
sleep 300 &
echo $$ $! >> "$WORLD/pids"
touch "$GOTMPDIR/half-made"
until [ -e "$WORLD/finish" ]; do sleep 0.05; done
kill $!
echo made > "$2"
chmod +x "$2"
"""
BUILD = """
import signal, sys
from pathlib import Path
from rehearsal import parts
from tests.rehearsal.test_parts import TINY

class Lines:
    said = ""
    def step(self, text, done=0, total=0):
        if text != self.said:
            print(text, flush=True)
        self.said = text

signal.signal(signal.SIGINT, signal.default_int_handler)
world = Path(sys.argv[1])
parts.SOURCES = world / "sources"
parts.digest.__defaults__ = (parts.SOURCES,)
print(parts.build(Lines(), (TINY,), world / "cache"), flush=True)
"""


class World:
    """A cache, the stand-in, and the builds that were started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.builds: list[subprocess.Popen[str]] = []
        source = folder / "sources" / "tiny"
        source.mkdir(parents=True)
        (source / "go.mod").write_text("module safe-harbor.example/tiny\n\ngo 1.21\n")
        tool = folder / "bin" / "go"
        tool.parent.mkdir()
        tool.write_text(GO)
        tool.chmod(0o755)

    def start(self) -> subprocess.Popen[str]:
        env = {**os.environ, "WORLD": str(self.folder), "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}
        argv = [sys.executable, "-c", BUILD, str(self.folder)]
        self.builds.append(subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True))
        return self.builds[-1]

    def compilers(self) -> list[int]:
        """The stand-ins that were started, and their children."""
        file = self.folder / "pids"
        return [int(pid) for pid in file.read_text().split()] if file.exists() else []

    def scratch(self) -> list[str]:
        return [path.name for path in self.cache.iterdir() if path.name.startswith(".")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for build in made.builds:
        build.kill()
        build.wait()
    for pid in filter(alive, made.compilers()):
        os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def within(seconds: float, true: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("deadly", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_killed_build_leaves_no_compiler_and_the_next_one_sweeps(
    world: World, deadly: signal.Signals
) -> None:
    build = world.start()
    assert within(30, lambda: len(world.compilers()) == 2)
    assert all(alive(pid) for pid in world.compilers())
    build.send_signal(deadly)
    assert build.wait(10) != 0
    assert within(5, lambda: not any(alive(pid) for pid in world.compilers()))

    (world.folder / "finish").touch()
    again = world.start()
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0
    assert (Path(said.splitlines()[-1]) / "tiny").read_text() == "made\n"
    assert world.scratch() == []


def test_a_second_build_waits_for_the_first_and_finds_what_it_built(world: World) -> None:
    first = world.start()
    assert within(30, lambda: len(world.compilers()) == 2)
    second = world.start()
    assert second.stdout is not None
    assert second.stdout.readline() == "waiting for another build of the parts, which is going on\n"
    (world.folder / "finish").touch()
    (made, _), (found, _) = first.communicate(timeout=60), second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert made.splitlines()[-1] == found.splitlines()[-1]
    assert "building" not in found
    assert len(world.compilers()) == 2, "it was built once"


def test_the_second_builds_where_the_first_was_killed(world: World) -> None:
    first = world.start()
    assert within(30, lambda: len(world.compilers()) == 2)
    second = world.start()
    assert second.stdout is not None
    second.stdout.readline()
    (world.folder / "finish").touch()
    first.kill()
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "building tiny" in said


def test_an_error_beside_a_build_ends_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends the block ends the compilers, not only a signal."""

    class Impatient(Said):
        def step(self, text: str, done: int = 0, total: int = 0) -> None:
            if len(world.compilers()) == 2:
                raise RuntimeError("enough")

    monkeypatch.setattr(parts, "SOURCES", world.folder / "sources")
    monkeypatch.setattr(parts.digest, "__defaults__", (world.folder / "sources",))
    monkeypatch.setenv("WORLD", str(world.folder))
    monkeypatch.setenv("PATH", f"{world.folder}/bin:{os.environ['PATH']}")
    with pytest.raises(RuntimeError, match="enough"):
        parts.build(Impatient(), (TINY,), world.cache)
    assert within(5, lambda: not any(alive(pid) for pid in world.compilers()))
    assert world.scratch() == []
