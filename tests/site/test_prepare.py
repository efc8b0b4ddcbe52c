"""The preparation on the rehearsal's Oslo nodes: from bare machines to joined nodes, and nothing the second time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from inventory.models.change import Change
from tasks.drivers.ports import Host
from tasks.facts.gather import gather
from tasks.operations.apply import Applied, apply_all
from tasks.operations.node import PHASES, Phase
from tasks.operations.preparation import Preparation


def run_phase(
    phase: Phase, preparation: Preparation, hosts: Mapping[str, Host], say: Callable[[str], None] = print
) -> list[Change]:
    """What the step `prepare` does for one phase (without the ledger)."""
    nodes = phase.nodes(preparation)
    with ThreadPoolExecutor(max(1, len(nodes))) as pool:
        asked = {node.name: phase.asked(preparation, node) for node in nodes}
        facts = dict(
            zip(asked, pool.map(lambda name: gather(hosts[name], asked[name]), asked), strict=True)
        )
        changes = phase.plan(preparation, facts)
        names = sorted({change.host for change in changes})
        outcomes: list[Applied] = list(
            pool.map(
                lambda name: apply_all(hosts[name], [change for change in changes if change.host == name]),
                names,
            )
        )
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return changes


def prepare(preparation: Preparation, hosts: Mapping[str, Host]) -> dict[str, int]:
    """Every phase in turn; the number of changes of each."""
    made = {}
    for phase in PHASES:
        started = time.monotonic()
        changes = run_phase(phase, preparation, hosts)
        made[phase.name] = len(changes)
        print(f"{phase.name:12} {len(changes):3} changes {time.monotonic() - started:6.2f} s", flush=True)
    return made
