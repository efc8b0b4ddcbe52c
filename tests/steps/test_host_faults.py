"""Hosts that fail in the middle of a run, on real OpenSSH servers in namespaces of their own.

In each test one of three hosts fails: the others go on, the result says which failed and why, and the next
run does what is left.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from inventory.models.change import Action, Change, PutFile, Run
from inventory.models.command import Command, Script
from tasks.drivers.errors import CommandFailed, HostLocked, HostUnreachable, OutsideError
from tasks.drivers.ssh import SshHost
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.steps.failed_hosts import FIGURE, FailedHosts
from tasks.steps.hosts import bring_about
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace
from tests.drivers import sshd as servers
from tests.drivers.sshd import Sshd

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="namespaces and sshd need root"),
    pytest.mark.slow,
]

NAMES = ("oslo-1", "oslo-2", "oslo-3")
FAULTY = "oslo-2"
# A disk of its own for each host, at the same path in each.
DISK = 'mount -t tmpfs -o size=1m tmpfs "{disk}"'


@dataclass
class Fleet:
    """The hosts, and a run over them: two files and a command in between."""

    place: Workplace
    folder: Path
    disk: Path
    servers: dict[str, Sshd]
    between: dict[str, Action] = field(default_factory=dict)
    question: str = 'cat "$1/first" "$1/second" 2>/dev/null; true'
    large: dict[str, bytes] = field(default_factory=dict)

    def host(self, name: str) -> SshHost:
        """A connection of its own, as another lead has."""
        node = self.servers[name].node().model_copy(update={"name": name})
        return SshHost(node, self.servers[name].ssh())

    def run(self) -> tuple[int, FailedHosts, Draft]:
        """One run, as `prepare` makes it, over fresh connections."""
        hosts = {name: self.host(name) for name in NAMES}
        self.place.drivers.own_hosts.update(hosts)  # type: ignore[attr-defined]  # the fake's own
        asked = Asked("the files", Script.of(self.question, str(self.disk)), str)
        draft = Draft()
        failed = FailedHosts(draft)
        try:
            made = bring_about(
                draft,
                "files",
                {name: [asked] for name in NAMES},
                lambda facts: self.plan(facts, asked),
                dry_run=False,
                failed=failed,
            )
        finally:
            for host in hosts.values():
                host.close()
        return made, failed, draft

    def plan(self, facts: Mapping[str, Facts], asked: Asked[str]) -> list[Change]:
        changes = []
        for name in facts:
            there = facts[name].of(asked)
            large = self.large.get(name, b"")
            steps: list[tuple[str, Action]] = [
                ("first", PutFile(str(self.disk / "first"), b"first\n")),
                ("between", self.between.get(name, Run(Command.of("true")))),
                ("second", PutFile(str(self.disk / "second"), large + b"second\n")),
            ]
            changes += [
                Change(name, step, "it is wanted", "", step, (action,))
                for step, action in steps
                if "second" not in there and step not in there
            ]
        return changes

    def files(self, name: str) -> str:
        with self.host(name) as host:
            return host.check(Script.of('cd "$1"; ls', str(self.disk)))

    @property
    def begun(self) -> Path:
        return self.folder / "begun"

    def sleeping(self) -> Run:
        """A change in the middle of which its host may fail."""
        return Run(Script.of('touch "$1"; sleep 30', str(self.begun)))

    def heal(self) -> None:
        self.between.clear()
        self.large.clear()

    def fails_alone(self, *words: str) -> OutsideError:
        """One run in which only the faulty host fails, for this reason; its error."""
        _, failed, draft = self.run()
        assert list(draft.figures[FIGURE]) == [FAULTY], draft.figures
        assert draft.figures[FIGURE][FAULTY]["phase"] == "files"
        for name in NAMES:
            if name != FAULTY:
                assert self.files(name).split() == ["first", "second"]
        with pytest.raises(OutsideError) as caught:
            failed.refuse(len(NAMES))
        message = str(caught.value)
        assert message.startswith(f"{FAULTY}: ")
        for word in words:
            assert word in message, message
        return caught.value

    def heals(self) -> None:
        """The next run does what is left, on the faulty host alone; the one after it has nothing to do."""
        self.heal()
        made, failed, _ = self.run()
        failed.refuse(len(NAMES))
        assert 0 < made <= 3
        assert self.files(FAULTY).split() == ["first", "second"]
        assert self.run()[0] == 0


@pytest.fixture
def fleet(place: Workplace, tmp_path: Path) -> Iterator[Fleet]:
    disk = tmp_path / "disk"
    disk.mkdir()
    with ExitStack() as stack:
        up = {}
        for name in NAMES:
            (tmp_path / name).mkdir()
            inside = DISK.format(disk=disk)
            up[name] = stack.enter_context(servers.running(tmp_path / name, inside=inside))
        yield Fleet(place, tmp_path, disk, up)


def on(fleet: Fleet, text: str, *words: str) -> None:
    with fleet.host(FAULTY) as host:
        host.check(Script.of(text, *words))


def test_a_full_disk(fleet: Fleet) -> None:
    fleet.large[FAULTY] = os.urandom(2 << 20)
    error = fleet.fails_alone("second: ", "No space left on device")
    assert isinstance(error, CommandFailed)
    assert fleet.files(FAULTY).split() == ["first"], "no half file is left"
    on(fleet, 'mount -o remount,size=10m "$1"', str(fleet.disk))
    fleet.heals()


def test_a_read_only_file_system(fleet: Fleet) -> None:
    on(fleet, 'mount -o remount,ro "$1"', str(fleet.disk))
    error = fleet.fails_alone("first: ", "/first cannot be written: mktemp:", "Read-only file system")
    assert isinstance(error, CommandFailed)
    on(fleet, 'mount -o remount,rw "$1"', str(fleet.disk))
    fleet.heals()


def test_a_hanging_command(fleet: Fleet) -> None:
    fleet.between[FAULTY] = Run(Script.of("sleep 300 & wait"), timeout_s=1.0)
    started = time.monotonic()
    fleet.fails_alone("between: ", "did not end within 1 s and was stopped")
    assert time.monotonic() - started < 20
    with fleet.host(FAULTY) as host:
        assert host.run(Command.of("pgrep", "-x", "sleep")).stdout == "", "it is stopped on the host as well"
    fleet.heals()


def test_a_session_that_falls_silent(fleet: Fleet) -> None:
    """sshd itself stops: nothing answers, and the connection stands."""
    with fleet.host(FAULTY) as host:
        host.check(Command.of("true"))
        stop = threading.Timer(1.0, _signal_sessions, (fleet.servers[FAULTY], signal.SIGSTOP))
        stop.start()
        started = time.monotonic()
        with pytest.raises(CommandFailed, match="did not end within 2 s and was stopped"):
            host.run(Command.of("sleep", 60), timeout_s=2.0)
        assert time.monotonic() - started < 15
        _signal_sessions(fleet.servers[FAULTY], signal.SIGCONT)


def test_a_dropped_connection(fleet: Fleet) -> None:
    drop = threading.Thread(target=_when_it_runs, args=(fleet, signal.SIGKILL))
    fleet.between[FAULTY] = fleet.sleeping()
    drop.start()
    error = fleet.fails_alone()  # the words depend on how far the next try came
    drop.join()
    assert isinstance(error, HostUnreachable)
    fleet.heals()


def test_a_host_that_dies_and_comes_back(place: Workplace, tmp_path: Path) -> None:
    disks = {name: tmp_path / f"{name}.disk" for name in NAMES}
    disk = tmp_path / "disk"
    for path in (disk, *disks.values()):
        path.mkdir()
    with ExitStack() as stack:
        up = {}
        for name in NAMES:
            (tmp_path / name).mkdir()
            inside = f'mount --bind "{disks[name]}" "{disk}"'
            up[name] = stack.enter_context(servers.running(tmp_path / name, inside=inside))
        fleet = Fleet(place, tmp_path, disk, up)
        fleet.between[FAULTY] = fleet.sleeping()
        death = threading.Thread(target=_when_it_runs, args=(fleet, None))
        death.start()
        error = fleet.fails_alone()
        death.join()
        assert isinstance(error, HostUnreachable)
        fleet.heal()
        with pytest.raises(
            HostUnreachable, match=r"no SSH at .*Connection refused; check that the host is up"
        ):
            fleet.run()[1].refuse(len(NAMES))
        again = servers.running(
            tmp_path / FAULTY, inside=f'mount --bind "{disks[FAULTY]}" "{disk}"', port=up[FAULTY].port
        )
        up[FAULTY] = stack.enter_context(again)
        fleet.heals()


def test_two_runs_at_once(fleet: Fleet) -> None:
    with fleet.host(FAULTY) as other:
        other.lock("ola on lead-2, process 7")
        error = fleet.fails_alone("is being changed by ola on lead-2, process 7, since 20")
        assert isinstance(error, HostLocked)
    fleet.heals()


def test_an_answer_without_end(fleet: Fleet) -> None:
    fleet.question = (
        f'if [ -e "$1/hostile" ]; then head -c {100 << 20} /dev/zero | tr "\\0" x; '
        'else cat "$1/first" "$1/second" 2>/dev/null; true; fi'
    )
    on(fleet, 'touch "$1/hostile"', str(fleet.disk))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fleet.fails_alone("printed more than 8 MiB")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 80 << 10
    on(fleet, 'rm "$1/hostile"', str(fleet.disk))
    fleet.heals()


HOSTILE = "\x1b]0;owned\x07\x1b[2J$(touch /tmp/safe-harbor-owned) `id`; rm -rf /; '\"&|\u202e\n--"


def test_hostile_words_are_neither_code_nor_escape_codes(fleet: Fleet) -> None:
    """A host's own words in file names and messages of a change."""
    fleet.between[FAULTY] = Run(Script.of('printf %s "$1" >&2; exit 9', HOSTILE))
    error = fleet.fails_alone("between: ", "ended with 9: ")
    assert "\x1b" not in str(error) and "\u202e" not in str(error)
    assert not Path("/tmp/safe-harbor-owned").exists()  # noqa: S108 - the name that the hostile word has
    fleet.heal()
    name = HOSTILE.replace("/", ":")
    fleet.between[FAULTY] = PutFile(str(fleet.disk / name), b"plain\n")
    fleet.run()[1].refuse(len(NAMES))
    with fleet.host(FAULTY) as host:
        assert host.check(Command.of("cat", "--", str(fleet.disk / name))) == "plain\n"


def test_a_host_that_lies_about_its_answers(fleet: Fleet) -> None:
    fleet.question = (
        'if [ -e "$1/hostile" ]; then kill -9 $PPID; '  # the shell that would have ended the answer
        'else cat "$1/first" "$1/second" 2>/dev/null; true; fi'
    )
    on(fleet, 'touch "$1/hostile"', str(fleet.disk))
    fleet.fails_alone("the files: ", "ended with 137: Killed")
    on(fleet, 'rm "$1/hostile"', str(fleet.disk))
    fleet.heals()


def _when_it_runs(fleet: Fleet, how: signal.Signals | None) -> None:
    """In the middle of the faulty host's changes, end its sessions, or all of the host."""
    server = fleet.servers[FAULTY]
    deadline = time.monotonic() + 60
    while not fleet.begun.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if how is None:
        server.process.kill()
    else:
        _signal_sessions(server, how)


def _signal_sessions(server: Sshd, how: signal.Signals) -> None:
    _, *others = _inside(server)
    for pid in others:
        if _comm(pid) == "sshd":
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)


def _inside(server: Sshd) -> list[int]:
    """The processes of its namespace, the listener first (by its place: numbers begin again at their end)."""
    (first,) = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    space = Path(f"/proc/{first}/ns/pid").readlink()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "ns/pid").readlink() == space:
                found.append(int(folder.name))
    return sorted(found, key=lambda pid: (pid != int(first), pid))


def _comm(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
