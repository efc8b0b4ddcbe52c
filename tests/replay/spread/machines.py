"""Two machines as network namespaces with a cable between them, and a Dask cluster over both."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.netns import ip
from tests.replay.conftest import SERVER

HERE, THERE = "shr-spread-a", "shr-spread-b"
ADDRESS = {HERE: "10.99.7.1", THERE: "10.99.7.2"}
DASK = Path(sys.executable).with_name("dask")
CLOCK_AHEAD = Path(__file__).with_name("clock_ahead.py")
UP_WITHIN_S = 60.0


@contextmanager
def namespaces() -> Iterator[None]:
    try:
        for name in (HERE, THERE):
            ip("netns", "add", name)
            ip("link", "set", "lo", "up", netns=name)
        ip("link", "add", "eth0", "netns", HERE, "type", "veth", "peer", "name", "eth0", "netns", THERE)
        for name, address in ADDRESS.items():
            ip("addr", "add", f"{address}/24", "dev", "eth0", netns=name)
            ip("link", "set", "eth0", "up", netns=name)
        yield
    finally:
        for name in (HERE, THERE):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@dataclass
class Cluster:
    """Processes of a Dask cluster; `pem` is certificate, key and authority of all of them."""

    folder: Path
    pem: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def scheduler(self) -> str:
        return f"tls://{ADDRESS[HERE]}:8786"

    @property
    def tls(self) -> list[str]:
        return [f"--tls-{what}={self.pem}" for what in ("ca-file", "cert", "key")]

    def start_scheduler(self) -> None:
        arguments = ("scheduler", "--host", ADDRESS[HERE], "--protocol", "tls", "--port", "8786")
        self._up("scheduler", self._dask(HERE, "scheduler", *arguments), "Scheduler at:")

    def start_workers(self, *more: str, **machine: str) -> list[subprocess.Popen[bytes]]:
        """One for each name."""
        started = [
            self._dask(
                *(where, name, "worker", self.scheduler, "--nthreads", "1", "--no-nanny"),
                *("--resources", "generator=1", "--host", ADDRESS[where], "--name", name),
                *("--local-directory", str(self.folder / name), *more),
            )
            for name, where in machine.items()
        ]
        for name, process in zip(machine, started, strict=True):
            self._up(name, process, "Registered to:")
        return started

    def start_server(self) -> str:
        """A shop, on the first machine; gives its URL."""
        argv = [*_within(HERE), sys.executable, str(SERVER), "a", "0", "", ADDRESS[HERE]]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        self.started.append(process)
        assert process.stdout is not None
        return f"http://{ADDRESS[HERE]}:{int(process.stdout.readline())}"

    def replay(self, *arguments: object) -> subprocess.Popen[str]:
        """`safe-harbor replay run` on the first machine."""
        argv = [*_within(HERE), sys.executable, "-m", "flows.cli", "replay", "run", *map(str, arguments)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def looks(self, name: str) -> int:
        """How often the run has asked this worker how far it is: once a second, from before the start."""
        return (self.folder / f"{name}.log").read_text().count("function 'look'")

    def stop(self) -> None:
        for process in reversed(self.started):
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _dask(self, machine: str, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        argv = [*_within(machine), str(DASK), *arguments, "--no-dashboard", *self.tls]
        with (self.folder / f"{name}.log").open("wb") as output:
            process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
        self.started.append(process)
        return process

    def _up(self, name: str, process: subprocess.Popen[bytes], sign: str) -> None:
        log, until = self.folder / f"{name}.log", time.monotonic() + UP_WITHIN_S
        while sign not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)


def _within(machine: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", machine)
