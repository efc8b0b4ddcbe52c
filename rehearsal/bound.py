"""A program that ends with us, and with it everything that it has started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# The leader of the program's process group. Where we are killed, the kernel tells it (setpriv), and it kills
# the group: a compiler's children would otherwise go on for minutes.
_GUARD = 'trap "kill -KILL 0" TERM; "$@" & wait $!'


@contextmanager
def bound(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: IO[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside the block, in a process group of its own; what still runs at its end is killed.

    Its standard output and error go to `output`. Call it from the main thread: the kernel takes the end of
    the thread that started it for ours.
    """
    child = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "--", "sh", "-c", _GUARD, "sh", *words],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
