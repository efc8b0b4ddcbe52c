"""A capture of ten million lines: how fast it becomes a schedule, and what memory that takes.

Read and compiled in a process of its own, as `replay run` does; its peak is the kernel's own figure.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.table import Row, run, show

LINES = 10_000_000
PAGES = 50_000  # distinct paths, of which some are asked far more often
PER_SECOND = 500  # lines that carry the same whole second
BLOCK_S = 2_000  # seconds whose lines are drawn; after them the same ones come again, with later times
RSS_GOAL_MB = 500
HOW = f"{LINES:,} lines of the combined format, {PAGES:,} distinct paths, every tenth line a second late"
_COMPILE = """
import json, resource, sys, time
from pathlib import Path
from tasks.replay.capture import read_capture
from tasks.replay.plan import at_rate
began = time.monotonic()
plan = at_rate(read_capture(Path(sys.argv[1])), 5000.0)
seconds = time.monotonic() - began
peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"requests": len(plan), "seconds": seconds, "peak_mb": peak_kib * 1024 / 1e6}))
"""


def main() -> int:
    """Write the log, compile it, show the figures."""
    with tempfile.TemporaryDirectory(prefix="safe-harbor-bench-") as folder:
        log = Path(folder) / "access.log"
        _write(log)
        argv = [sys.executable, "-c", _COMPILE, str(log)]
        told = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    if told["requests"] != LINES:
        raise RuntimeError(f"{told['requests']} of {LINES} lines became requests")
    peak = told["peak_mb"]
    rows = [
        Row(
            "peak memory, 10 million lines", "MB", peak, HOW, goal=f"< {RSS_GOAL_MB}", met=peak < RSS_GOAL_MB
        ),
        Row("lines compiled per second", "1/s", LINES / told["seconds"], HOW),
    ]
    show("capture", rows)
    return 0


def _write(log: Path) -> None:
    dice = random.Random(20151006)  # noqa: S311 - the same log every time, no secret
    ranks = [int(dice.paretovariate(0.6)) % PAGES for _ in range(BLOCK_S * PER_SECOND)]
    with log.open("w") as file:
        for second in range(LINES // PER_SECOND):
            at = datetime.fromtimestamp(1_444_000_000 + second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
            late = datetime.fromtimestamp(1_444_000_000 + second - 1, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
            first = second % BLOCK_S * PER_SECOND
            file.writelines(
                f'203.0.113.{n % 250} - - [{late if n % 10 == 0 else at}] "GET /product/{rank}?ref={rank % 7}'
                f' HTTP/1.1" 200 5120 "-" "Mozilla/5.0"\n'
                for n, rank in enumerate(ranks[first : first + PER_SECOND])
            )


if __name__ == "__main__":
    sys.exit(run(main))
