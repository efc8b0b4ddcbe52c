"""A doctor's round over twenty hosts, with all its questions and the windows in which it watches processors.

The hosts share this machine's processors, so what they run for an answer is measured as well; twenty servers
would run it at once.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.light_hosts import COUNT, Bench, light_hosts
from benchmarks.table import Row, run, show
from tasks.steps.examination import examine

ROUNDS = 3
GOAL_S = 30.0


def file_of(bench: Bench, folder: Path) -> Path:
    """The hosts as a cluster's file declares them."""
    document = {
        "schema": "safe-harbor/cluster/v1",
        "name": "bench",
        "ssh": {
            "identity_file": str(bench.plan.ssh_key),
            "known_hosts": str(bench.plan.known_hosts),
        },
        "cluster": {"name": "bench", "pod_cidr": "10.244.0.0/16", "service_cidr": "10.96.0.0/16"},
        "nodes": [
            {"name": node.name, "address": str(node.address), "host_key": node.host_key}
            for node in bench.nodes
        ],
    }
    file = folder / "bench.yaml"
    file.write_text(json.dumps(document))
    return file


def main() -> int:
    """Measure, print, keep."""
    seconds = []
    with light_hosts() as bench, TemporaryDirectory() as folder:
        file = file_of(bench, Path(folder))
        for _ in range(ROUNDS):
            found = examine(file)
            if found.unreached:
                raise RuntimeError("a host did not answer: the round would be too short")
            seconds.append(found.seconds)
    verdicts = Counter(row.finding.verdict.value for row in found.rows)
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    took = statistics.median(seconds)
    how = f"{len(found.rows)} findings ({said}); median of {ROUNDS}, at most {max(seconds):.1f}"
    show("doctor", [Row(f"doctor, {COUNT} hosts", "s", took, how, goal="< 30", met=max(seconds) < GOAL_S)])
    return 0


if __name__ == "__main__":
    run(main)
