"""The site: everything a migration lead declares, in one file."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from inventory.models.cluster import Cluster, Declared, Fabric, Node, Role
from inventory.models.finding import Waiver
from inventory.models.machines import Kvm
from inventory.models.processing import Processing
from inventory.models.replay import Replay
from inventory.models.services import Bucket, Database, Dns, Edge, Registry
from inventory.models.ssh import Ssh
from inventory.models.tuning import HostSize


class AwsMatch(Declared):
    """Resources of one service by id, name or ARN; `*` and `?` stand for any characters."""

    service: Literal[
        "ec2",
        "ebs",
        "elbv2",
        "rds",
        "s3",
        "route53",
        "ecr",
        "lambda",
        "dynamodb",
        "sqs",
        "efs",
        "kms",
        "secretsmanager",
        "logs",
        "cloudfront",
        "tagging",  # of any other service, found by its tags; `name` matches the ARN
    ]
    name: str = Field(min_length=1)
    region: str = ""  # empty: any
    reason: str = ""  # of a resource that stays: who it belongs to


class Aws(Declared):
    """The AWS account that is left. `regions` empty means every region that is enabled."""

    account: str = Field(pattern=r"^\d{12}$")
    regions: tuple[str, ...] = ()
    home_region: str = "us-east-1"
    endpoint_url: str = ""  # only for a stand-in of AWS, as in the rehearsal
    credentials_file: Path
    profile: str = "default"
    tags: dict[str, str] = Field(default_factory=dict)  # what carries them all belongs to this exit
    belongs: tuple[AwsMatch, ...] = ()  # what belongs to this exit beside what the file names anyway
    stays: tuple[AwsMatch, ...] = ()  # what lies in the home region and is not part of this exit


class Workload(Declared):
    """What moves: the namespaces, and where the shop is reached inside a cluster."""

    namespaces: tuple[str, ...] = ("shop",)
    deployment: str = "shop"
    service: str = "shop"
    node_port: int = Field(default=30080, ge=1, le=65535)
    database_read: str = "db-read"  # the Service without selector whose endpoint the shop reads from
    database_primary: str = "db-primary"  # ... and writes to


class Source(Declared):
    """The side that is left."""

    aws: Aws
    kubeconfig: Path
    edge: Edge
    database: Database
    registry: Registry
    bucket: Bucket
    proxy_metrics: str = ""  # URL of kube-proxy's /proxyMode on a source node, where it is reachable
    nodes: tuple[Node, ...] = ()  # source nodes with SSH, where there are any
    networks: tuple[IPv4Network, ...] = ()  # in use at the source (VPC, pods, services)


class Side(Declared):
    """Nodes that are one cluster; what may be known of any, also of one that was not built here."""

    nodes: tuple[Node, ...] = ()
    cluster: Fabric

    def having(self, role: Role) -> tuple[Node, ...]:
        """The nodes with this role, in the order of the file."""
        return tuple(node for node in self.nodes if role in node.roles)

    def size(self, processors: int, memory_kib: int) -> HostSize:
        """What a profile's values are derived from, on a node with so many processors and so much memory."""
        return HostSize(processors, memory_kib, self.cluster.max_pods, len(self.nodes))


class Target(Side):
    """The side in Oslo."""

    nodes: tuple[Node, ...] = Field(min_length=1)
    underlay: IPv4Network | None = None  # the network that the nodes' addresses lie in
    ssh: Ssh
    kvm: Kvm | None = None  # machines that `provision` makes; the other nodes exist already
    cluster: Cluster
    edge: Edge
    database: Database
    registry: Registry
    bucket: Bucket

    @model_validator(mode="after")
    def _nodes_fit(self) -> Self:
        for what in ("name", "address"):
            values = [getattr(node, what) for node in self.nodes]
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"two nodes have the {what} {value}")
        if not self.having(Role.CONTROL_PLANE):
            raise ValueError("0 control-plane nodes: etcd needs an odd number, and at least one")
        for node in self.nodes:
            for network in (self.cluster.pod_cidr, self.cluster.service_cidr):
                if node.address in network:
                    raise ValueError(f"the address {node.address} of {node.name} lies in {network}")
        return self

    @model_validator(mode="after")
    def _machines_are_nodes(self) -> Self:
        if self.kvm is None:
            return self
        names = [node.name for node in self.nodes]
        for machine in self.kvm.machines:
            if machine.node not in names:
                raise ValueError(
                    f"kvm.machines: no node has the name {machine.node} (declared: {', '.join(names)})"
                )
        if self.underlay is None:
            raise ValueError("kvm: the machines' prefix length is that of target.underlay, which is missing")
        return self


class Exchange(Declared):
    """An internet exchange, as an address there that answers to echoes, and how near it must be."""

    name: str = Field(min_length=1)  # as NIX1
    address: IPv4Address
    max_min_ms: float = Field(gt=0)
    max_p99_ms: float = Field(gt=0)


class LatencyGate(Declared):
    """Margins of non-inferiority per percentile (0.10 = the target may be 10 % slower), and ceilings."""

    margins: dict[Literal["p50", "p95", "p99"], float] = Field(
        default={"p50": 0.05, "p95": 0.10, "p99": 0.15}
    )
    ceiling_ms: float = Field(default=1000.0, gt=0)  # of every gated percentile of the target
    floor_ms: float = Field(default=2.0, ge=0)  # a target below it is never too slow
    server_floor_ms: float | None = Field(
        default=None, ge=0
    )  # of what the servers state; by default the same
    error_rate_margin: float = Field(default=0.001, ge=0)
    require_server_side: bool = False  # block where nothing that the servers state was judged
    exchanges: tuple[Exchange, ...] = ()  # none is asked that is not named here

    @model_validator(mode="after")
    def _exchanges_are_separate(self) -> Self:
        if len(self.exchanges) == 1:
            raise ValueError("one exchange says nothing of the other: declare two or more, or none")
        for what in ("name", "address"):
            if len({getattr(exchange, what) for exchange in self.exchanges}) < len(self.exchanges):
                raise ValueError(f"two exchanges have the same {what}")
        return self


class Capacity(Declared):
    """What the target must hold: `factor` times the captured peak; see tasks.gates.capacity."""

    factor: float = Field(default=1.5, ge=1, le=10)
    most_factor: float = Field(default=6.0, ge=1, le=100)  # of the peak: the knee is looked for up to it
    step_s: float = Field(default=20.0, ge=1, le=3600)
    max_conntrack: float = Field(default=0.6, gt=0, lt=1)
    max_steal: float = Field(default=0.02, gt=0, lt=1)

    @model_validator(mode="after")
    def _looks_far_enough(self) -> Self:
        if self.most_factor < self.factor:
            raise ValueError(f"most_factor {self.most_factor:g} is below factor {self.factor:g}")
        return self


class StandingApproval(Declared):
    """An approver who has signed beforehand, as in a rehearsal."""

    approver: str = Field(min_length=1)
    reason: str = Field(min_length=10)


class Cutover(Declared):
    """How traffic is shifted, and when the source may be stopped."""

    steps_percent: tuple[int, ...] = (1, 10, 50, 100)
    step_hold_s: float = Field(default=5.0, gt=0)
    max_error_rate: float = Field(default=0.0, ge=0, le=1)
    revert_within_s: float = Field(default=10.0, gt=0)
    soak_s: float = Field(default=86400.0, ge=0)

    @model_validator(mode="after")
    def _steps_rise(self) -> Self:
        steps = list(self.steps_percent)
        if steps != sorted(set(steps)) or not steps or steps[-1] != 100 or steps[0] < 1:
            raise ValueError(f"steps_percent {steps} must rise from at least 1 and end with 100")
        return self


class Site(Declared):
    """The whole declaration. `schema` names the version of this format."""

    schema_: Literal["safe-harbor/site/v1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    controller: str = Field(min_length=1)  # who is responsible for the data (GDPR Art. 4(7))
    profile: str = "article-2016"
    profiles: Path | None = None  # kernel profiles of this site's own; by default profiles/ beside its file
    policy: str = "safe-harbor-2015"
    state: Path  # ledger, checkpoints, reports: one folder, 0700
    source: Source
    target: Target
    dns: Dns
    workload: Workload = Workload()
    processing: Processing = Processing()
    replay: Replay
    latency: LatencyGate = LatencyGate()
    capacity: Capacity = Capacity()
    cutover: Cutover = Cutover()
    approval: StandingApproval | None = None
    waivers: tuple[Waiver, ...] = ()
