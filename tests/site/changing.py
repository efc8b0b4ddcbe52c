"""The network stage's own step on the trial's nodes: an opened workplace without a source or a server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inventory.models.cluster import Network
from inventory.models.site import Site
from tasks.drivers.clock import SystemClock
from tasks.drivers.kube import KubeApi
from tasks.drivers.ports import Host, Kube
from tasks.ledger import Ledger
from tasks.steps import network as steps
from tasks.steps.drivers import Drivers
from tasks.steps.recommend import Advice, advise
from tasks.steps.stage import Draft
from tasks.steps.workplace import _CURRENT, Workplace


class TrialDrivers(Drivers):
    """The trial's own connections; its cluster stands for the source, too, which has no policies."""

    def __init__(self, site: Site, hosts: Mapping[str, Host], kube: KubeApi) -> None:
        super().__init__(site)
        self._own, self._kube = hosts, kube

    def hosts(self) -> Mapping[str, Host]:
        return self._own

    def source_kube(self) -> Kube:
        return self._kube

    def target_kube(self) -> Kube:
        return self._kube


def with_network(site: Site, network: Network) -> Site:
    """The site with another pod network declared."""
    cluster = site.target.cluster.model_copy(update={"network": network})
    target = site.target.model_copy(update={"cluster": cluster})
    return site.model_copy(update={"target": target})


def raise_network(site: Site, hosts: Mapping[str, Host], kube: KubeApi) -> Draft:
    """Run the step; what it has filled in."""
    with _workplace(site, hosts, kube) as draft:
        steps.raise_network.fn(draft, dry_run=False)
    return draft


def recommended(site: Site, hosts: Mapping[str, Host], kube: KubeApi) -> Advice:
    """What `network recommend` says."""
    with _workplace(site, hosts, kube):
        return advise()


@contextmanager
def _workplace(site: Site, hosts: Mapping[str, Host], kube: KubeApi) -> Iterator[Draft]:
    clock: Any = SystemClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger.open(Path(folder) / "ledger", clock=clock, actor="test") as ledger,
    ):
        place = Workplace(Path(folder), site, TrialDrivers(site, hosts, kube), ledger, clock, "test")
        token = _CURRENT.set(place)
        try:
            yield Draft()
        finally:
            _CURRENT.reset(token)
