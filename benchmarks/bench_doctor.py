"""A doctor's round over twenty hosts and an API, with all its questions and the windows that it watches.

The hosts share this machine's processors, so what they run for an answer is measured as well; twenty servers
would run it at once. The cluster that the API shows is made up: no Service of it answers on the hosts, so
each dial waits for as long as it may.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.light_hosts import COUNT, Bench, light_hosts
from benchmarks.made_up_api import cluster, serving
from benchmarks.table import Row, run, show
from tasks.checks.registry import all_checks
from tasks.steps.examination import examine

ROUNDS = 3
GOAL_S = 30.0


def file_of(bench: Bench, folder: Path, kubeconfig: Path) -> Path:
    """The hosts as a cluster's file declares them; the first is a control plane."""
    document = {
        "schema": "safe-harbor/cluster/v1",
        "name": "bench",
        "ssh": {
            "identity_file": str(bench.plan.ssh_key),
            "known_hosts": str(bench.plan.known_hosts),
        },
        "kubeconfig": str(kubeconfig),
        "nodes": [
            {
                "name": node.name,
                "address": str(node.address),
                "host_key": node.host_key,
                "roles": ["worker" if number else "control-plane"],
            }
            for number, node in enumerate(bench.nodes)
        ],
    }
    file = folder / "bench.yaml"
    file.write_text(json.dumps(document))
    return file


def main() -> int:
    """Measure, print, keep."""
    seconds = []
    with light_hosts() as bench, TemporaryDirectory() as name:
        folder = Path(name)
        objects = cluster({node.name: str(node.address) for node in bench.nodes})
        with serving(objects, folder) as kubeconfig:
            file, groups = file_of(bench, folder, kubeconfig), {c.code: c.group for c in all_checks()}
            for _ in range(ROUNDS):
                found = examine(file)
                if found.unreached:
                    raise RuntimeError("a host or the API did not answer: the round would be too short")
                seconds.append(found.seconds)
    verdicts = Counter(row.finding.verdict.value for row in found.rows)
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    took = statistics.median(seconds)
    looked = Counter(groups[code] for code in {row.finding.code for row in found.rows})
    checks = ", ".join(f"{count} of {group}" for group, count in sorted(looked.items()))
    how = f"checks: {checks}; {len(found.rows)} findings ({said}); "
    how += f"median of {ROUNDS}, at most {max(seconds):.1f}"
    show("doctor", [Row(f"doctor, {COUNT} hosts", "s", took, how, goal="< 30", met=max(seconds) < GOAL_S)])
    return 0


if __name__ == "__main__":
    run(main)
