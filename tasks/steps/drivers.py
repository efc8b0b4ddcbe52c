"""Opens the drivers of a site: each once, when it is first needed, and closes them all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from inventory.errors import BadInput
from inventory.models.secret import Secret
from inventory.models.services import Bucket, Database, Edge
from inventory.models.site import Site
from tasks.drivers.aws_process import AwsProcess
from tasks.drivers.dns import AuthoritativeZone
from tasks.drivers.edge import HaproxyEdge, over_host, over_tcp
from tasks.drivers.kube import KubeApi
from tasks.drivers.libvirt import LibvirtHost
from tasks.drivers.mariadb import MariaDb
from tasks.drivers.objects import S3Bucket
from tasks.drivers.ports import Aws, DnsZone, Echoing, EdgeProxy, Host, Kube, Objects, Sql
from tasks.drivers.ssh import SshHost
from tasks.drivers.ssh_way import SshWay
from tasks.steps.machine_keys import pinned

Driver = TypeVar("Driver")


def read_secret(file: Path) -> Secret:
    """The secret that a file holds. Raises BadInput where it cannot be read."""
    try:
        return Secret(file.read_text().strip())
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file) from error


class Drivers:
    """The outside of one site, as ports. May be used by several threads; a test gives its own."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._opened: dict[str, Any] = {}
        self._stack = ExitStack()
        self._lock = threading.RLock()

    def close(self) -> None:
        """End every connection."""
        with self._lock:
            self._stack.close()
            self._opened.clear()

    def aws(self) -> Aws:
        """The account that is left."""
        return self._once("aws", lambda: AwsProcess.open(self._site.source.aws))

    def release_aws(self) -> None:
        """End the process that asks the account: the service models that it holds take 100 MB."""
        with self._lock:
            opened = self._opened.pop("aws", None)
        if opened is not None:
            opened.close()

    def hosts(self) -> Mapping[str, Echoing]:
        """Every declared node of the target."""
        return {node.name: self.host(node.name) for node in self._site.target.nodes}

    def host(self, name: str) -> Echoing:
        """One declared node. Raises BadInput, listing the known, where there is none of that name."""
        nodes = {node.name: node for node in (*self._site.target.nodes, *self._site.source.nodes)}
        if name not in nodes:
            raise BadInput(f"no node is named {name!r}; known: {', '.join(nodes)}")
        node = pinned(self._site, nodes[name])
        return self._once(f"host {name}", lambda: SshHost(node, self._site.target.ssh, self._way()))

    def answers(self, name: str) -> bool:
        """Whether anything accepts an SSH connection at a declared node's address, whoever it is."""
        (node,) = (each for each in self._site.target.nodes if each.name == name)
        return self._way().answers(node)

    def kvm_hosts(self) -> Mapping[str, Host]:
        """Every declared KVM host, as libvirt shows it: its commands are virsh's."""
        kvm = self._site.target.kvm
        if kvm is None:
            return {}
        ssh = kvm.ssh or self._site.target.ssh
        return {
            host.name: self._once(f"kvm {host.name}", partial(LibvirtHost, host, ssh)) for host in kvm.hosts
        }

    def unlock_hosts(self) -> None:
        """Let others change the hosts again that a stage has locked."""
        with self._lock:
            hosts = [opened for opened in self._opened.values() if isinstance(opened, SshHost)]
        for host in hosts:
            host.unlock()

    def source_kube(self) -> Kube:
        """The source cluster's API."""
        return self._once("source kube", lambda: KubeApi.open(self._site.source.kubeconfig, "source"))

    def target_kube(self) -> Kube:
        """The target cluster's API; its kubeconfig is written by `prepare`."""
        cluster = self._site.target.cluster
        return self._once("target kube", lambda: KubeApi.open_any(cluster.kubeconfig, cluster.name))

    def source_database(self) -> Sql:
        """The source's MariaDB, as administrator."""
        return self._database("source", self._site.source.database)

    def target_database(self) -> Sql:
        """The target's MariaDB, as administrator."""
        return self._database("target", self._site.target.database)

    def source_bucket(self) -> Objects:
        """The source's bucket."""
        return self._bucket("source", self._site.source.bucket)

    def target_bucket(self) -> Objects:
        """The target's bucket."""
        return self._bucket("target", self._site.target.bucket)

    def source_edge(self) -> EdgeProxy:
        """The way in at the source."""
        return self._edge("source", self._site.source.edge)

    def target_edge(self) -> EdgeProxy:
        """The way in at the target."""
        return self._edge("target", self._site.target.edge)

    def dns(self) -> DnsZone:
        """The zone of the shop's name."""
        dns = self._site.dns
        return self._once(
            "dns",
            lambda: AuthoritativeZone(
                dns.server,
                dns.port,
                dns.zone,
                dns.tsig_key_name,
                read_secret(dns.tsig_key_file),
                dns.tsig_algorithm,
            ),
        )

    def _way(self) -> SshWay:
        """The way to the nodes; closed last: the hosts' connections go through it."""
        return self._once("ssh", lambda: SshWay(self._site.target.ssh))

    def _database(self, side: str, database: Database) -> Sql:
        return self._once(
            f"{side} database",
            lambda: MariaDb(
                database.host,
                database.port,
                database.admin_user,
                read_secret(database.admin_password_file),
                database.ca_file,
            ),  # with no default database: at the target there is none before the move
        )

    def create_target_bucket(self) -> bool:
        """Make the target's bucket, readable by the shop's pods; whether it was not there."""
        bucket = self._bucket("target", self._site.target.bucket)
        created, opened = bucket.create(), bucket.let_anyone_read()
        return created or opened

    def target_bucket_stands(self) -> tuple[bool, bool]:
        """Whether the target's bucket is there, and whether whoever reaches it may read; changes nothing."""
        bucket = self._bucket("target", self._site.target.bucket)
        there = bucket.exists()
        return there, there and bucket.anyone_may_read()

    def _bucket(self, side: str, bucket: Bucket) -> S3Bucket:
        return self._once(
            f"{side} bucket",
            lambda: S3Bucket(
                bucket.name,
                bucket.credentials_file,
                profile=bucket.profile,
                endpoint_url=bucket.endpoint_url,
                region=bucket.region,
                ca_file=bucket.ca_file,
            ),
        )

    def _edge(self, side: str, edge: Edge) -> EdgeProxy:
        scheme, _, rest = edge.runtime.partition("://")
        if scheme == "tcp":
            host, _, port = rest.rpartition(":")
            return self._once(f"{side} edge", lambda: HaproxyEdge(edge.address, over_tcp(host, int(port))))
        node, _, path = rest.partition("/")
        return self._once(
            f"{side} edge", lambda: HaproxyEdge(edge.address, over_host(self.host(node), f"/{path}"))
        )

    def _once(self, key: str, make: Callable[[], Driver]) -> Driver:
        with self._lock:
            if key not in self._opened:
                opened = make()
                self._opened[key] = opened
                close = getattr(opened, "close", None)
                if close is not None:
                    self._stack.callback(close)
            found: Driver = self._opened[key]
            return found
