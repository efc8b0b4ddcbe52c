"""A host that is this machine, and the real clock, for tests of what runs on a node."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from inventory.models.command import Shellable
from tasks.drivers.errors import CommandFailed
from tasks.drivers.ports import Output
from tasks.drivers.put import put


class LocalHost:
    name = "local"

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        start = time.monotonic()
        done = subprocess.run(
            ["sh", "-c", command.render()], input=stdin, capture_output=True, timeout=timeout_s
        )
        return Output(done.returncode, done.stdout.decode(), done.stderr.decode(), time.monotonic() - start)

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        output = self.run(command, stdin=stdin, timeout_s=timeout_s)
        if not output.ok:
            raise CommandFailed(self.name, f"ended with {output.exit_code}: {output.stderr}")
        return output.stdout

    def put_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        self.check(put(path, content, mode), stdin=content)

    def put_program(self, path: str, source: Path, sha256: str, *, mode: int = 0o755) -> None:
        raise NotImplementedError

    def lock(self, holder: str) -> None:
        """Nobody else is here."""

    def close(self) -> None:
        """Nothing is open."""


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
