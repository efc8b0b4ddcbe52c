"""Starts and stops the independent customers, in a process of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from rehearsal.plan import Plan
from tasks.drivers.errors import OutsideError

RATE_RPS = 200
LONGEST_S = 900  # they stop by themselves, should nobody stop them
STOP_TIMEOUT_S = 20.0


class Customers:
    """The customers of one rehearsal; their log is `log`, one JSON line a request."""

    def __init__(self, plan: Plan, log: Path, rate_rps: int = RATE_RPS) -> None:
        self._plan = plan
        self._rate_rps = rate_rps
        self._process: subprocess.Popen[bytes] | None = None
        self.log = log
        self.started = False

    def start(self) -> None:
        """Let them in."""
        self.log.unlink(missing_ok=True)
        plan = self._plan
        output = self.log.with_suffix(".out").open("wb")
        with output:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "TERM", "--"),
                    *(sys.executable, "-m", "rehearsal.customers", "--dns", plan.dns_address),
                    *("--name", plan.shop_name, "--rps", str(self._rate_rps)),
                    *("--log", str(self.log), "--seconds", str(LONGEST_S)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.started = True

    def stop(self) -> None:
        """Ask them to finish what is under way and leave. Raises OutsideError where they had died before."""
        process, self._process = self._process, None
        if process is None:
            return
        died = process.poll()
        if died is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        else:
            said = self.log.with_suffix(".out").read_text(errors="replace")[-500:]
            raise OutsideError("customers", f"ended by themselves with {died}: {said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
