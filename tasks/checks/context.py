"""What a check of each group may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from inventory.models.daemon_set import DaemonSet
from inventory.models.observation import Observation
from inventory.models.resource import Survey
from inventory.models.site import Side, Site
from inventory.models.site import Workload as Moving
from inventory.models.statement import Signed
from inventory.models.trail import Trail
from inventory.ranges import Ranges
from tasks.drivers.ports import Clock, DnsZone, Host, Kube, Objects, Sql

Phase = Literal["before-cutover", "after-finalize"]


class Subject(Protocol):
    """Declared nodes and their cluster: a whole site, or one cluster that is only looked at."""

    @property
    def profile(self) -> str:
        """The kernel profile that the nodes shall have."""

    @property
    def profiles(self) -> Path | None:
        """The folder of kernel profiles beside those of the project; None where there is none."""

    @property
    def target(self) -> Side:
        """The nodes and their cluster."""

    @property
    def workload(self) -> Moving:
        """The namespaces that are of interest."""


@dataclass(frozen=True)
class Admission:
    """Group `admission`: may these hosts become nodes?"""

    site: Subject
    hosts: Mapping[str, Host]
    clock: Clock


@dataclass(frozen=True)
class Cluster:
    """Group `cluster`: what any cluster's API alone shows of its nodes, with nothing started in it."""

    kube: Kube
    clock: Clock


@dataclass(frozen=True)
class ControlPlane:
    """Group `controlplane`: is the cluster itself sound, whatever its network carries?"""

    site: Subject
    hosts: Mapping[str, Host]
    kube: Kube
    clock: Clock


@dataclass(frozen=True)
class DataPlane:
    """Group `dataplane`: does every path of the target's network work?

    `probes` maps a node's name to the name of the probe pod on it (namespace `safe-harbor-probe`), and
    `node_probes` to that of the probe pod with hostNetwork, which asks as the node itself.
    `enforces_policies`: the pod network enforces NetworkPolicies; not until it is known to.
    `ours`: it follows a site file, so `network` mends it. `daemons`: those that run as pods, by program.
    `without_probes`: no pod may be started, so what can be seen otherwise is judged by that.
    """

    site: Subject
    hosts: Mapping[str, Host]
    kube: Kube
    probes: Mapping[str, str]
    clock: Clock
    node_probes: Mapping[str, str] = field(default_factory=dict)
    enforces_policies: bool = False
    ours: bool = True
    daemons: Mapping[str, DaemonSet] = field(default_factory=dict)
    without_probes: bool = False


@dataclass(frozen=True)
class Workload:
    """Group `workload`: are the source's objects fit to move?

    `enforces_policies`: the target's pod network enforces NetworkPolicies; not until it is known to.
    """

    site: Subject
    source: Kube
    clock: Clock
    enforces_policies: bool = False


@dataclass(frozen=True)
class Residency:
    """Group `residency`: where does the data lie, and what still points away from Norway?

    Before the cutover (and until `finalize`) the source still holds the data, as declared; after it, what is
    left there is a failure. `statements` are verified and in force; `observations` are oldest first;
    `countries` are geo databases, and `registrants` says in which country an address's registrant is.
    `records` are records of processing by their digest; `trail` is the site's ledger, None where none is.
    `source_left_at`: what was observed of the source before it was as declared; None where it is not left.
    """

    site: Site
    survey: Survey
    target: Kube
    target_database: Sql
    target_bucket: Objects
    dns: DnsZone
    hosts: Mapping[str, Host]
    clock: Clock
    phase: Phase = "before-cutover"
    statements: tuple[Signed, ...] = ()
    observations: tuple[Observation, ...] = ()
    countries: tuple[Ranges, ...] = ()
    registrants: Ranges | None = None
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trail: Trail | None = None
    source_left_at: datetime | None = None
