"""The parts beside the cluster that hold data or lead to it: database, registry, bucket, edge, DNS."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from pydantic import Field

from inventory.models.cluster import Declared


class Database(Declared):
    """A MariaDB server. `admin_*` may replicate and read every table; secrets are files, mode 0600."""

    host: str
    port: int = Field(default=3306, ge=1, le=65535)
    name: str = "shop"  # the database that moves
    admin_user: str
    admin_password_file: Path
    replication_user: str = "replica"
    replication_password_file: Path
    app_user: str = "shop"  # the shop's own account, whose connections are ended at the changeover
    app_password_file: Path
    ca_file: Path  # TLS is verified against it
    reachable_as: str = ""  # host:port under which the OTHER side reaches it, for replication
    seen_as: tuple[IPv4Address, ...] = ()  # where its connections come from, as the other side sees them
    # The certificate and key of the server where `prepare` installs it; left out for a service that is there.
    certificate_file: Path | None = None
    key_file: Path | None = None


class Registry(Declared):
    """An image registry over TLS."""

    address: str  # host:port, as in an image's name
    ca_file: Path
    certificate_file: Path | None = None  # as for a database
    key_file: Path | None = None


class Bucket(Declared):
    """A bucket behind the S3 API. `endpoint_url` is empty for AWS itself."""

    name: str
    endpoint_url: str = ""
    region: str = "us-east-1"
    credentials_file: Path  # an AWS credentials file, mode 0600
    profile: str = "default"
    url: str = ""  # the base URL under which the shop's pods read it
    ca_file: Path | None = None  # verifies an endpoint whose certificate has a CA of its own
    certificate_file: Path | None = None  # as for a database
    key_file: Path | None = None


class Edge(Declared):
    """haproxy at the way in (at AWS it stands where the load balancer stands).

    `runtime` is its runtime API: `tcp://HOST:PORT`, or `ssh://NODE/PATH` for a socket on a declared node.
    Its map holds the target's share, and whether writes are held (see `tasks.operations.haproxy_config`).
    """

    runtime: str = Field(pattern=r"^(tcp://[^/]+:\d+|ssh://[^/]+/.+)$")
    address: str  # what DNS points at
    url: str  # the shop through this edge, with no DNS in between


class Dns(Declared):
    """The authoritative server of the shop's name, updated by RFC 2136 with TSIG."""

    server: str
    port: int = Field(default=53, ge=1, le=65535)
    zone: str
    name: str  # the shop's name, absolute, without the trailing dot
    ttl_s: int = Field(default=300, ge=1)
    cutover_ttl_s: int = Field(default=2, ge=1)
    tsig_key_name: str
    tsig_key_file: Path  # base64 key, mode 0600
    tsig_algorithm: str = "hmac-sha256"
