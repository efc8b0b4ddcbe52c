"""Twenty hosts on this machine to measure on: light nspawn nodes, each with an sshd and a network of its own.

A full systemd node holds about twenty inotify instances, of which a machine has 128 for root: six fit beside
each other. A light node has no systemd; twenty are up in 6 s.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inventory.models.cluster import Node
from inventory.models.ssh import Ssh
from rehearsal import netns, nodes, packages, teardown
from rehearsal.plan import Machine, Plan
from rehearsal.state import State
from tasks.drivers.errors import Denied

COUNT = 20


@dataclass(frozen=True)
class Bench:
    """The hosts as a site declares them, and where their files are."""

    plan: Plan
    nodes: tuple[Node, ...]
    ssh: Ssh


def plan_of(count: int) -> Plan:
    """Names and addresses beside those of every other site."""
    return Plan(
        state=Path("/var/lib/safe-harbor/bench"),
        host_interface="shx-b-host",
        host_address="198.18.64.1",
        wan_netns="shx-b-wan",
        wan_address="198.18.64.2",
        aws_bridge="br-b-aws",
        oslo_bridge="br-b-oslo",
        oslo_gateway="10.62.0.1",
        oslo_network="10.62.0.0/24",
        service_netns="shx-b-svc",
        aws_nodes=(),
        oslo_nodes=tuple(Machine(f"bench-{n}", f"10.62.0.{10 + n}") for n in range(1, count + 1)),
    )


@contextmanager
def light_hosts(count: int = COUNT) -> Iterator[Bench]:
    """The hosts while they are up. Raises OutsideError."""
    if os.geteuid() != 0:
        raise Denied("benchmark", "namespaces are made by root alone", "run it as root")
    packages.install(packages.missing(), print)
    plan = plan_of(count)
    teardown.down(plan)  # what a killed run left
    try:
        state = State(plan)
        nodes.make_keys(plan, plan.oslo_nodes)
        netns.raise_wan(plan, state)
        nodes.boot(plan, state, plan.oslo_nodes, light=True)
        declared = tuple(
            Node(name=each.name, address=each.address, host_key=nodes.host_key(plan, each))
            for each in plan.oslo_nodes
        )
        yield Bench(plan, declared, Ssh(identity_file=plan.ssh_key, known_hosts=plan.known_hosts))
    finally:
        teardown.down(plan)
