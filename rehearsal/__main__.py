"""Bring single pieces of the site up and down while you work on one: `python -m rehearsal oslo-up`.

The whole site is `safe-harbor rehearse`; these are for engineers who need bare nodes only.
"""

from __future__ import annotations

import argparse
import sys
import time

from rehearsal import cluster_source, netns, nodes, parts, services, teardown
from rehearsal.plan import Machine, Plan
from rehearsal.state import State


def main() -> int:
    """Run one of the pieces; answers the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description=__doc__)
    parser.add_argument("piece", choices=("oslo-up", "oslo-down", "aws-up", "aws-down", "down"))
    piece = parser.parse_args().piece
    plan = Plan()
    state = State(plan)
    started = time.monotonic()
    machines = plan.oslo_nodes if piece.startswith("oslo") else plan.aws_nodes
    if piece == "down":
        teardown.down(plan)
    elif piece.endswith("-up"):
        _up(plan, state, machines)
    else:
        teardown.remove_nodes(plan, state, machines)
    sys.stdout.write(f"{piece}: {time.monotonic() - started:.1f} s\n")
    return 0


class _Lines:
    def __init__(self) -> None:
        self._said = ""

    def step(self, text: str, done: int = 0, total: int = 0) -> None:  # noqa: ARG002  # the protocol's
        if text != self._said:
            sys.stdout.write(f"{text}\n")
        self._said = text


def _up(plan: Plan, state: State, machines: tuple[Machine, ...]) -> None:
    nodes.make_keys(plan, (*plan.aws_nodes, *plan.oslo_nodes))
    netns.raise_wan(plan, state)
    if machines == plan.aws_nodes:
        services.prepare(plan)  # the nodes trust the registry's certificate
        cluster_source.start(plan, state, parts.build(_Lines()))
        cluster_source.await_ready(plan, state)
    else:
        nodes.boot(plan, state, machines)
        for machine in machines:
            sys.stdout.write(
                f"ssh -i {plan.ssh_key} -o UserKnownHostsFile={plan.known_hosts} root@{machine.address}\n"
            )


if __name__ == "__main__":
    sys.exit(main())
