"""What the steps alter in a cluster beside the move: an intent in the ledger before, an outcome after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tasks.drivers.ports import Kube
from tasks.facts.probe import NAMESPACE
from tasks.networks import probe, proxy_account
from tasks.networks.probe import Probes
from tasks.networks.proxy_account import ProxyAccount
from tasks.steps.workplace import current


def ensure_proxy_account(kube: Kube, *, dry_run: bool = False) -> ProxyAccount:
    """kube-proxy's account and token; recorded where anything of it has to change. Raises ServiceFailed."""
    place = current()
    planned = proxy_account.ensure(kube, place.clock, dry_run=True)
    if dry_run or (planned.token.reveal() and not planned.changed):
        return planned
    intent = {"objects": list(planned.changed)}
    with place.ledger.effect(f"kube/{kube.name}/kube-proxy-account", intent) as effect:
        account = proxy_account.ensure(kube, place.clock)
        effect.outcome = {"changed": list(account.changed)}
    return account


@contextmanager
def probing(kube: Kube, nodes: Sequence[str], reference: str) -> Iterator[Probes]:
    """The probe namespace and its pods for the time of the block, recorded. Raises as `probe.probing`."""
    place = current()
    intent = {"namespace": NAMESPACE, "image": reference, "nodes": list(nodes)}
    with place.ledger.effect(f"kube/{kube.name}/probes", intent) as effect:
        pods, removed = 0, False
        try:
            probes = probe.raise_probes(kube, place.clock, nodes, reference)
            pods = len(probes.pods) + len(probes.nodes)
            yield probes
        finally:
            try:
                probe.remove_probes(kube, place.clock)
                removed = True
            finally:
                effect.outcome = {"pods": pods, "removed": removed}


@contextmanager
def probing_nodes(
    kube: Kube, nodes: Sequence[str], reference: str, *, within_s: float
) -> Iterator[Mapping[str, str]]:
    """Only the probes of the nodes' own network, recorded. Raises as `probe.on_every_node`."""
    place = current()
    intent = {"namespace": NAMESPACE, "image": reference, "nodes": list(nodes)}
    with place.ledger.effect(f"kube/{kube.name}/probes", intent) as effect:
        effect.outcome = {"pods": 0, "removed": False}
        with probe.on_every_node(kube, place.clock, nodes, reference, within_s=within_s) as pods:
            effect.outcome = {"pods": len(pods), "removed": False}
            yield pods
        effect.outcome = {"pods": len(pods), "removed": True}
