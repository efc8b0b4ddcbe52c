"""Facts of twenty hosts at once, from nothing (connections, keys, logins) and over open connections."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.light_hosts import COUNT, light_hosts
from benchmarks.table import Row, run, show
from inventory.profile_files import load_profile
from tasks.drivers.ssh import SshHost
from tasks.drivers.ssh_way import SshWay
from tasks.facts import (
    capabilities,
    cgroup,
    clock,
    files,
    interfaces,
    machine_id,
    memory,
    modules,
    mounts,
    os_release,
    ports,
    routes,
    sysctl,
    virtualization,
)
from tasks.facts.asked import Asked
from tasks.facts.gather import gather

ROUNDS = 5
GOAL_MS = 1000.0


def questions() -> tuple[Asked[Any], ...]:
    """What admission and the first phases of `prepare` ask, of hosts without systemd."""
    profile = load_profile("article-2016")
    return (
        *(
            os_release.ask(),
            memory.ask(),
            virtualization.ask(),
            capabilities.ask(),
            cgroup.ask(),
            clock.ask_now(),
        ),
        *(machine_id.ask(), interfaces.ask(), routes.ask(), ports.ask(), mounts.ask()),
        *(modules.ask(profile.modules), sysctl.ask(profile.keys)),
        files.ask(("/etc/hosts", "/etc/sysctl.d/90-safe-harbor.conf")),
    )


def main() -> int:
    """Measure, print, keep."""
    asked = questions()
    cold: list[float] = []
    warm: list[float] = []
    with light_hosts() as bench, ThreadPoolExecutor(COUNT) as pool:

        def ask(host: SshHost) -> None:
            facts = gather(host, asked)
            for question in asked:
                facts.of(question)

        for _ in range(ROUNDS):
            way = SshWay(bench.ssh)
            hosts = [SshHost(node, bench.ssh, way) for node in bench.nodes]
            for milliseconds in (cold, warm):
                began = time.monotonic()
                list(pool.map(ask, hosts))
                milliseconds.append((time.monotonic() - began) * 1000)
            list(pool.map(lambda host: host.close(), hosts))
    how = f"{len(asked)} questions a host, asked and parsed; median of {ROUNDS}"
    first, again = statistics.median(cold), statistics.median(warm)
    show(
        "facts",
        [
            Row(f"facts of {COUNT} hosts, with logins", "ms", first, how, goal="< 1000", met=first < GOAL_MS),
            Row(f"facts of {COUNT} hosts, logged in", "ms", again, how, goal="< 1000", met=again < GOAL_MS),
        ],
    )
    return 0


if __name__ == "__main__":
    run(main)
