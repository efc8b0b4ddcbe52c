"""The change of a network that pods are on: node by node, emptied, under a load whose losses are counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.evidence import observed
from tasks.drivers.ports import Kube
from tasks.networks import drain
from tasks.networks.change_load import Lost, loaded
from tasks.steps.cluster_effects import probing
from tasks.steps.stage import Draft
from tasks.steps.workplace import current

CODE = "NET-CHANGE"
FIGURE = "network_change"


def node_by_node(
    draft: Draft, kube: Kube, nodes: Sequence[Node], reference: str, change: Callable[[Node], None]
) -> None:
    """Empty each of these nodes, change it, renew its DaemonSets' pods, let pods back; the next one then.

    `change` applies what is planned for a node and returns when the node is ready. The load runs on all of
    the cluster's nodes. Raises OutsideError where a step fails; the nodes after it are as they were.
    """
    place = current()
    every = [node.name for node in place.site.target.nodes]
    done: list[dict[str, Any]] = []
    started = time.monotonic()
    draft.figures[FIGURE] = {"nodes": done}
    with (
        probing(kube, every, reference) as probes,
        loaded(kube, place.clock, list(probes.nodes.values()), reference) as load,
    ):
        for number, node in enumerate(nodes):
            begun = time.monotonic()
            place.progress.step(f"emptying {node.name}", number, len(nodes))
            with (
                place.ledger.effect(f"kube/{kube.name}/empty/{node.name}", {"node": node.name}) as effect,
                drain.emptied(kube, place.clock, node.name) as evicted,
            ):
                place.progress.step(f"changing {node.name}", number, len(nodes))
                change(node)
                renewed = drain.renew_daemons(kube, place.clock, node.name)
                effect.outcome = {"evicted": evicted, "renewed": renewed}
            figures = {"node": node.name, "evicted": evicted, "renewed": renewed}
            done.append(figures | {"seconds": round(time.monotonic() - begun, 2)})
    lost = load.lost
    draft.figures[FIGURE] |= {"seconds": round(time.monotonic() - started, 2), "load": lost.figures}
    draft.add([_judged(lost, kube.name)])


def _judged(lost: Lost, cluster: str) -> Finding:
    """A loss is shown, not refused: the change is done, and the network's own checks come after it."""
    place = current()
    what = f"{lost.failed} of {lost.requests} requests failed while the nodes changed"
    if lost.windows_lost:
        what += f"; {lost.windows_lost} of {lost.windows} questions to the load's clients were not answered"
    clean = not lost.failed and not lost.windows_lost
    return Finding(
        code=CODE,
        subject="site",
        verdict=Verdict.PASS if clean else Verdict.WARN,
        observed=what,
        expected="no request fails while the network changes beneath it",
        evidence=(observed(place.clock, f"{cluster}: load during the change", str(lost.figures)),),
        remedy="" if clean else f"what failed said: {lost.error}; look at PATH-PODS and KP-VIP-NODE below",
        severity=Severity.HIGH,
    )
