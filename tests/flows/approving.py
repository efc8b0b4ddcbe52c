"""Run by a test: a flow that has `approve` as its subflow, on a Prefect server that this process starts.

`python -m tests.flows.approving SITE`: the approver's name on stdout, or exit 1 where it is refused.
"""

from __future__ import annotations

import sys

from prefect import flow

from flows.approve import approve
from flows.orchestrator import server, without_heartbeats
from inventory.models.stage import StageResult
from tasks.steps.stage import StageRefused
from tasks.steps.workplace import opened
from tests.steps.fakes import World
from tests.steps.test_approve import gate_says


@flow(name="outer")
def outer(site: str) -> StageResult:
    return approve(site)


def main(site: str) -> int:
    with (
        opened(site, actor="tests", make_drivers=World().drivers) as place,
        server(place.state / "prefect"),
        without_heartbeats(),
    ):
        gate_says(place)
        try:
            result = outer(site)
        except StageRefused as refusal:
            sys.stderr.write(f"{refusal}\n")
            return 1
    sys.stdout.write(result.figures["approver"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
