"""The data services of the target and its edge, designed from the site file; no host is touched."""

from __future__ import annotations

import configparser
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inventory.errors import BadInput
from inventory.models.change import Change
from inventory.models.cluster import Node, Role
from inventory.models.secret import Secret
from inventory.models.services import Bucket, Database
from inventory.models.site import Site
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations import haproxy, mariadb, objectstore, registry, units
from tasks.steps.drivers import read_secret

SERVER_ID = 2  # the source's is another; `move` refuses two servers of one id
DOMAIN_ID = 2


@dataclass(frozen=True)
class ServicePhase:
    """One service on one node: what to ask, and the plan from the answers."""

    name: str
    node: Node
    asked: tuple[Asked[Any], ...]
    plan: Callable[[Facts], Sequence[Change]]


def data_services(site: Site) -> tuple[ServicePhase, ...]:
    """MariaDB and its accounts, the registry, the object store: those for which the site gives a certificate.

    Raises BadInput where no node has the role `data`, or a file cannot be read.
    """
    node = data_node(site)
    phases: list[ServicePhase] = []
    database, images, bucket = site.target.database, site.target.registry, site.target.bucket
    if database.certificate_file:
        phases += _mariadb(site, node)
    if images.certificate_file:
        design = registry.RegistryDesign(
            images.address, _read(images.certificate_file), _read(_key(images.key_file))
        )
        phases.append(_service("registry", node, registry.service(design), "the site's own images"))
    if bucket.certificate_file:
        phases += _objects(site, node, bucket)
    return tuple(phases)


def data_node(site: Site) -> Node:
    """The node with the target's database, images and media. Raises BadInput where there is not just one."""
    return _only(site, Role.DATA)


def edge_service(site: Site) -> ServicePhase:
    """haproxy on the edge node: home is the target, the far side is the source's edge."""
    node = _only(site, Role.EDGE)
    runtime = site.target.edge.runtime.partition("://")[2].partition("/")[2]
    source_host, _, source_port = site.source.edge.url.partition("://")[2].strip("/").partition(":")
    design = haproxy.EdgeDesign(
        name=node.name,
        bind=f"{node.address}:{haproxy.EDGE_PORT}",
        source=(haproxy.Server("source-edge", source_host, int(source_port or 80)),),
        target=tuple(
            haproxy.Server(each.name, str(each.address), site.workload.node_port)
            for each in site.target.nodes
        ),
        home="target",
        runtime=f"/{runtime}",
        folder=haproxy.FOLDER,
        account=haproxy.ACCOUNT,
        share_percent=100,
    )
    return _service("edge", node, haproxy.service(design), "the way in")


def _mariadb(site: Site, node: Node) -> list[ServicePhase]:
    ours, theirs = site.target.database, site.source.database
    accounts = mariadb.standard_accounts(
        ours.name,
        (ours.admin_user, read_secret(ours.admin_password_file)),
        (ours.replication_user, read_secret(ours.replication_password_file)),
        (ours.app_user, read_secret(ours.app_password_file)),
    )
    design = mariadb.MariaDbDesign(
        bind=str(node.address),
        port=ours.port,
        server_id=SERVER_ID,
        domain_id=DOMAIN_ID,
        database=ours.name,
        certificate=_read(_certificate(ours)),
        key=_read(_key(ours.key_file)),
        ca=_authorities(ours, theirs),
        accounts=accounts,
    )
    return [
        _service("mariadb", node, mariadb.service(design), "the shop's database"),
        ServicePhase(
            "mariadb-accounts",
            node,
            (mariadb.ask_accounts(),),
            lambda facts: mariadb.plan_accounts(node.name, facts, accounts),
        ),
    ]


def _objects(site: Site, node: Node, bucket: Bucket) -> list[ServicePhase]:
    program = site.target.cluster.programs / "versitygw"
    access_key, secret_key = bucket_keys(bucket)
    design = objectstore.ObjectStoreDesign(
        address=bucket.endpoint_url.partition("://")[2].strip("/"),
        region=bucket.region,
        access_key=access_key,
        secret_key=secret_key,
        certificate=_read(_key(bucket.certificate_file)),
        key=_read(_key(bucket.key_file)),
        program=str(program),
        sha256=hashlib.sha256(_read(program)).hexdigest(),
    )
    return [
        ServicePhase(
            "objectstore-program",
            node,
            (objectstore.ask_program(),),
            lambda facts: objectstore.plan_program(node.name, facts, design),
        ),
        _service("objectstore", node, objectstore.service(design), "the shop's media"),
    ]


def bucket_keys(bucket: Bucket) -> tuple[str, Secret]:
    """Access key and secret key of a credentials file of the AWS tools' form. Raises BadInput."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(bucket.credentials_file.read_text())
        profile = parser[bucket.profile]
        return profile["aws_access_key_id"], Secret(profile["aws_secret_access_key"])
    except (OSError, configparser.Error, KeyError) as error:
        raise BadInput(
            f"has no usable profile {bucket.profile!r}: {type(error).__name__}", bucket.credentials_file
        ) from error


def _service(name: str, node: Node, service: units.Service, why: str) -> ServicePhase:
    return ServicePhase(
        name, node, units.asked(service), lambda facts: units.plan(node.name, facts, service, why)
    )


def _authorities(ours: Database, theirs: Database) -> bytes:
    """The CA of the server's own certificate, and that of the server which it will follow."""
    mine, other = _read(ours.ca_file), _read(theirs.ca_file)
    return mine if mine == other else mine + b"\n" + other


def _only(site: Site, role: Role) -> Node:
    nodes = site.target.having(role)
    if len(nodes) != 1:
        raise BadInput(f"target.nodes: {len(nodes)} nodes have the role {role}; exactly one must have it")
    return nodes[0]


def _certificate(database: Database) -> Path:
    return _key(database.certificate_file)


def _key(file: Path | None) -> Path:
    if file is None:
        raise BadInput("a certificate_file needs its key_file, and the other way round")
    return file


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file) from error


def by_host(phase: ServicePhase) -> Mapping[str, Sequence[Asked[Any]]]:
    """The questions of a phase by host, as `bring_about` takes them."""
    return {phase.node.name: phase.asked}
