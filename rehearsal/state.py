"""What the rehearsal site has made on this machine, written down before it is made.

The record is one JSON file (mode 0600) in the state folder. `teardown` removes what it lists and what it
finds by name, so that an interrupted `up` (Ctrl-C, kill -9, a crash) leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.plan import Plan
from tasks.drivers.errors import OutsideError

# Every process of the site carries this variable, so that one that was started but not yet recorded is found.
MARK = "SAFE_HARBOR_REHEARSAL"
SCHEMA = "rehearsal-state/1"
Things = dict[str, dict[str, dict[str, Any]]]
KINDS = ("process", "mount", "netns", "cgroup", "interface")

# Joins the cgroups named before `--`, then becomes the program named after it (same process id).
_JOIN_CGROUPS = (
    'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"'
)


@dataclass(frozen=True)
class Running:
    """A process of the site; `start` (clock ticks since boot) tells it from a later one with the same id."""

    name: str
    pid: int
    start: int

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return start_of(self.pid) == self.start


def start_of(pid: int) -> int | None:
    """When process `pid` started, in clock ticks since boot; None where it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def record_of(plan: Plan) -> Path:
    """The file of a site's record."""
    return plan.state / "state.json"


class State:
    """The record of one site. Safe to use from several threads and several commands at once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.file = record_of(plan)
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._things = self._read()

    def claim(self) -> bool:
        """Make the record of a new site; False where somebody else has made one."""
        self._make_folder()
        fresh = self.file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        self._write(fresh)
        try:
            os.link(fresh, self.file)
        except FileExistsError:
            return False
        finally:
            fresh.unlink()
        return True

    def close(self) -> None:
        """From now on nothing is made any more: `record` and `run_process` raise OutsideError."""
        self._closed.set()

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs, one file each."""
        return self.plan.state / "logs"

    def recorded(self, kind: str) -> dict[str, dict[str, Any]]:
        """What is recorded of a kind, by name, oldest first."""
        with self._lock:
            return {name: dict(details) for name, details in self._things[kind].items()}

    def record(self, kind: str, name: str, **details: Any) -> None:
        """Write down a thing that is about to be made (or more about it)."""
        if self._closed.is_set():
            raise OutsideError(name, "is not made: the site is being taken down")
        with self._changing():
            self._things[kind].setdefault(name, {}).update(details)

    def forget(self, kind: str, name: str) -> None:
        """Strike out a thing that is gone."""
        with self._changing():
            self._things[kind].pop(name, None)

    def run_process(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        netns: str | None = None,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        cgroups: Sequence[Path] = (),
    ) -> Running:
        """Start a process that outlives this command: recorded first, in a session of its own.

        `netns` is a namespace of the plan; output goes to `log` (default: logs/NAME.log); `env` is added to a
        small environment (PATH, LANG); `user` is an account that it changes to. Raises OutsideError where
        one of that name already runs or the program cannot be started.
        """
        with self._lock:
            earlier = self._process(name)
            if earlier is not None and earlier.alive():
                raise OutsideError(name, f"already runs as process {earlier.pid}")
            self.record("process", name, pid=0, start=0, argv=[str(word) for word in argv])
        words = [str(word) for word in argv]
        if user:
            words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *words]
        if netns:
            words = ["nsenter", f"--net=/run/netns/{netns}", "--", *words]
        if cgroups:
            words = ["sh", "-c", _JOIN_CGROUPS, "sh", *map(str, cgroups), "--", *words]
        log = log or self.logs / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            MARK: str(self.plan.state),
            **(env or {}),
        }
        try:
            with log.open("ab") as output:
                child = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    cwd=cwd,
                    start_new_session=True,
                )
        except OSError as error:
            self.forget("process", name)
            raise OutsideError(name, f"cannot be started: {error}") from None
        # Nobody waits for it by hand: this thread reaps it if it ends while this command still runs.
        threading.Thread(target=child.wait, name=f"reap-{name}", daemon=True).start()
        running = Running(name, child.pid, start_of(child.pid) or 0)
        self.record("process", name, pid=running.pid, start=running.start)
        return running

    def process(self, name: str) -> Running:
        """A process that was started. Raises OutsideError where there is none of that name."""
        found = self._process(name)
        if found is None:
            raise OutsideError(name, "was not started by this site")
        return found

    def _process(self, name: str) -> Running | None:
        details = self._things["process"].get(name)
        return Running(name, details["pid"], details["start"]) if details else None

    def log_tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a process's log, for an error message."""
        file = self.logs / f"{name}.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""

    def wait_until(self, running: Running, ready: Callable[[], bool], *, what: str, within_s: float) -> None:
        """Wait until `ready()` is true. Raises OutsideError where the process ends or the time is over."""
        end = time.monotonic() + within_s
        while not ready():
            if not running.alive():
                raise OutsideError(running.name, f"ended before {what}\n{self.log_tail(running.name)}")
            if time.monotonic() > end:
                raise OutsideError(
                    running.name, f"not {what} in {within_s:.0f} s\n{self.log_tail(running.name)}"
                )
            time.sleep(0.05)

    def _make_folder(self) -> None:
        # Services that run under accounts of their own pass through it; nobody else can list it.
        self.plan.state.mkdir(parents=True, exist_ok=True)
        self.plan.state.chmod(0o711)

    def _read(self) -> Things:
        recorded = json.loads(self.file.read_text()) if self.file.exists() else {}
        return {kind: recorded.get(kind, {}) for kind in KINDS}

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Read, change and write the record while no other command does."""
        self._make_folder()
        with self._lock, (self.plan.state / "state.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._things = self._read()
            yield
            fresh = self.file.with_suffix(".new")
            self._write(fresh)
            fresh.replace(self.file)

    def _write(self, file: Path) -> None:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump({"schema": SCHEMA, **self._things}, out, indent=1)
