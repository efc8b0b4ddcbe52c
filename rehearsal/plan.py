"""The address plan of the rehearsal site: every name, address and port, in one frozen value.

Nothing else in `rehearsal/` writes an address down. A test gives its own plan (loopback, other prefixes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """A nspawn node: `name` is its host name and its Kubernetes node name."""

    name: str
    address: str

    @property
    def netns(self) -> str:
        """Its network namespace."""
        return f"shx-{self.name}"


@dataclass(frozen=True)
class Way:
    """One delayed way of the link: toxiproxy listens on `listen` and forwards to `upstream`."""

    name: str
    listen: str  # address:port, in the namespace of the link
    upstream: str
    delay_ms: int = 18


@dataclass(frozen=True)
class Plan:
    """Where everything of the rehearsal site is. Addresses are text, networks are CIDR text."""

    state: Path = Path("/var/lib/safe-harbor/rehearsal")

    # The host's own namespace, and the router that is also the link.
    host_interface: str = "shx-host"
    host_address: str = "198.18.0.1"
    wan_netns: str = "shx-wan"
    wan_address: str = "198.18.0.2"
    wan_prefix: int = 24
    wan_network: str = "198.18.0.0/24"
    aws_bridge: str = "br-aws"
    aws_gateway: str = "10.40.0.1"
    aws_network: str = "10.40.0.0/24"
    oslo_bridge: str = "br-oslo"
    oslo_gateway: str = "10.60.0.1"
    oslo_network: str = "10.60.0.0/24"
    link_delay_ms: int = 18
    toxiproxy_api: str = "127.0.0.1:8474"  # inside the link's namespace only

    # Public addresses of the AWS side, in the link's namespace.
    elb_public: str = "198.18.0.10"
    rds_public: str = "198.18.0.11"
    registry_public: str = "198.18.0.12"
    api_public: str = "198.18.0.13"
    moto_public: str = "198.18.0.14"
    dns_address: str = "198.18.0.53"
    # Play two internet exchanges near Oslo: the router answers for them.
    exchanges: tuple[tuple[str, str], ...] = (("NIX1", "198.18.1.1"), ("NIX2", "198.18.1.2"))

    # What the AWS side sees of Oslo.
    oslo_edge_from_aws: str = "10.40.0.80"
    oslo_database_from_aws: str = "10.40.0.81"

    # The services of the AWS side.
    service_netns: str = "shx-aws-svc"
    elb_private: str = "10.40.0.20"
    rds_private: str = "10.40.0.21"
    registry_private: str = "10.40.0.22"
    moto_private: str = "10.40.0.23"

    # Ports.
    http_port: int = 80
    edge_runtime_port: int = 9999
    mariadb_port: int = 3306
    registry_port: int = 5000
    moto_port: int = 5000
    api_port: int = 6443
    dns_port: int = 53
    objects_port: int = 9000
    node_port: int = 30080
    nodes_as: int = 64512  # BGP, both for private use (RFC 6996)
    router_as: int = 64513

    # Machines and clusters.
    aws_nodes: tuple[Machine, ...] = (
        Machine("aws-1", "10.40.0.11"),
        Machine("aws-2", "10.40.0.12"),
        Machine("aws-3", "10.40.0.13"),
    )
    oslo_nodes: tuple[Machine, ...] = (
        Machine("oslo-1", "10.60.0.11"),
        Machine("oslo-2", "10.60.0.12"),
        Machine("oslo-3", "10.60.0.13"),
    )
    kvm_hosts: tuple[Machine, ...] = ()  # only in a deep rehearsal: its Oslo nodes are QEMU guests on these
    kubernetes_version: str = "1.37.1"
    aws_pod_network: str = "10.44.0.0/16"
    aws_service_network: str = "10.45.0.0/16"
    oslo_pod_network: str = "10.244.0.0/16"
    oslo_service_network: str = "10.96.0.0/16"

    # The shop and its data.
    zone: str = "fjordshop.example"
    shop_name: str = "shop.fjordshop.example"
    database: str = "shop"
    bucket: str = "fjordshop-media"
    image: str = "fjordshop/shop:1.4.2"  # repository and tag, in either registry
    account: str = "123456789012"
    region: str = "us-east-1"
    other_regions: tuple[str, ...] = field(default=("eu-west-1", "ap-southeast-2"))

    @property
    def site(self) -> Path:
        """The folder of the site file and its secrets; its name is what `safe-harbor run` takes."""
        return self.state / "sites" / "rehearsal"

    @property
    def site_file(self) -> Path:
        """The site file."""
        return self.site / "site.yaml"

    @property
    def secrets(self) -> Path:
        """Secret files, mode 0600 in a folder of mode 0700."""
        return self.site / "secrets"

    @property
    def pki(self) -> Path:
        """The rehearsal CA and the certificates it signed."""
        return self.state / "pki"

    @property
    def ca_file(self) -> Path:
        """The certificate of the rehearsal CA."""
        return self.pki / "ca.crt"

    @property
    def aws_kubeconfig(self) -> Path:
        """The source cluster's kubeconfig, written by who builds the cluster; server = api_public."""
        return self.site / "aws.kubeconfig"

    @property
    def oslo_kubeconfig(self) -> Path:
        """The target cluster's kubeconfig, written by `prepare`."""
        return self.site / "oslo.kubeconfig"

    @property
    def kubectl(self) -> Path:
        """A link to the multi-call program of Kubernetes, which is kubectl under this name."""
        return self.state / "kubectl"

    @property
    def ssh_key(self) -> Path:
        """The private key that every node accepts."""
        return self.secrets / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Pinned host keys of every node."""
        return self.site / "known_hosts"

    @property
    def capture(self) -> Path:
        """The access log that is replayed."""
        return self.site / "access.log"

    @property
    def registry_host(self) -> str:
        """host:port of the source registry, as outside machines name it."""
        return f"{self.registry_public}:{self.registry_port}"

    @property
    def oslo_edge(self) -> Machine:
        """Oslo's control plane, edge and data node."""
        return self.oslo_nodes[0]

    @property
    def containers(self) -> tuple[Machine, ...]:
        """Every machine that is a nspawn node."""
        return (*self.aws_nodes, *(self.kvm_hosts or self.oslo_nodes))

    @property
    def ways(self) -> tuple[Way, ...]:
        """Every delayed way of the link."""
        delay_ms = self.link_delay_ms
        pairs = (
            ("elb", self.elb_public, self.elb_private, self.http_port, self.http_port),
            ("rds", self.rds_public, self.rds_private, self.mariadb_port, self.mariadb_port),
            ("registry", self.registry_public, self.registry_private, self.registry_port, self.registry_port),
            ("api", self.api_public, self.aws_nodes[0].address, self.api_port, self.api_port),
            ("aws-api", self.moto_public, self.moto_private, self.moto_port, self.moto_port),
            ("oslo-edge", self.oslo_edge_from_aws, self.oslo_edge.address, self.http_port, self.http_port),
            (
                "oslo-database",
                self.oslo_database_from_aws,
                self.oslo_edge.address,
                self.mariadb_port,
                self.mariadb_port,
            ),
        )
        delayed = tuple(
            Way(name, f"{public}:{listen}", f"{private}:{port}", delay_ms)
            for name, public, private, listen, port in pairs
        )
        runtime = f"{self.elb_public}:{self.edge_runtime_port}"
        return (
            *delayed,
            Way("elb-runtime", runtime, f"{self.elb_private}:{self.edge_runtime_port}", delay_ms=0),
        )
