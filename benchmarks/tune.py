"""What bench_tuning measures of ours, as a program: a kernel profile, from facts to changes, on many hosts.

The hosts' lock is taken, the file of the profile written, every live value set: all that `prepare` does in
its phase `sysctl`, without the orchestrator and the ledger.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from inventory.models.cluster import Node
from inventory.models.site import Side
from inventory.models.ssh import Ssh
from inventory.models.tuning import Rule
from inventory.profile import Profile
from tasks.drivers.ssh import SshHost
from tasks.drivers.ssh_way import SshWay
from tasks.facts.gather import gather
from tasks.operations.apply import apply_all
from tasks.operations.settings import sysctl_asked, sysctl_plan

# What a side needs to be one; no rule of the benchmark's profile asks for any of it.
_CLUSTER = {
    "name": "bench",
    "pod_cidr": "10.244.0.0/16",
    "service_cidr": "10.96.0.0/16",
}


@dataclass(frozen=True)
class Bench:
    """A `settings.Subject`: the hosts and their profile."""

    profile: Profile
    target: Side


def profile_of(values: dict[str, str]) -> Profile:
    """A profile of exact values."""
    why = {"why": "the benchmark sets it", "source": "the benchmark"}
    rules = [Rule.model_validate({"key": key, "exact": value, **why}) for key, value in values.items()]
    document = {"schema": "safe-harbor/profile/v1", "name": "bench", "about": "settings of a benchmark"}
    return Profile.model_validate({**document, "modules": ["bridge"], "sysctls": rules})


def tune(node: Node, ssh: Ssh, way: SshWay, bench: Bench) -> int:
    """Bring one host to the profile; the number of changes. Raises OutsideError."""
    with SshHost(node, ssh, way) as host:
        host.lock("the benchmark")
        facts = gather(host, sysctl_asked(bench, node))
        came = apply_all(host, sysctl_plan(bench, node, facts))
        if came.error is not None:
            raise came.error
        return len(came.done)


def main() -> int:
    """Read {nodes, ssh, values} on stdin; print the number of changes."""
    asked = json.load(sys.stdin)
    nodes = [Node.model_validate(each) for each in asked["nodes"]]
    ssh = Ssh.model_validate(asked["ssh"])
    side = Side.model_validate({"nodes": nodes, "cluster": _CLUSTER})
    bench, way = Bench(profile_of(asked["values"]), side), SshWay(ssh)
    with ThreadPoolExecutor(len(nodes)) as pool:
        print(sum(pool.map(lambda node: tune(node, ssh, way, bench), nodes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
