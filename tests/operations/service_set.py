"""All services beside the target's cluster on one node, put together for tests of their operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inventory.errors import BadInput
from inventory.models.change import Change
from inventory.models.cluster import Node, Role
from inventory.models.secret import Secret
from inventory.models.site import Site
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations import haproxy, mariadb, objectstore, registry, units
from tasks.operations.haproxy_config import EdgeDesign, Server
from tasks.operations.preparation import LocalFile

OBJECT_STORE = "versitygw"
SERVER_ID = 2  # RDS and the rehearsal's source have 1; `move` refuses two servers with the same


@dataclass(frozen=True)
class ServiceInputs:
    """What the step has read for them from the lead's machine.

    `files` maps every path of certificate, key and CA of the target's services to its content. `domain_id`
    is the source's gtid_domain_id: one domain for both, because only one of them takes writes at a time.
    """

    files: Mapping[Path, bytes] = field(repr=False)
    admin_password: Secret
    replication_password: Secret
    app_password: Secret
    objects_access_key: str
    objects_secret_key: Secret
    object_store: LocalFile
    domain_id: int


@dataclass(frozen=True)
class NodeServices:
    """The services of one node. `accounts` and `store` are set on the data node."""

    host: str
    services: tuple[units.Service, ...]
    accounts: tuple[mariadb.Account, ...] = ()
    store: objectstore.ObjectStoreDesign | None = None


def services_of(site: Site, node: Node, inputs: ServiceInputs) -> NodeServices:
    """What this node gets by its roles; a node that is neither data nor edge gets nothing."""
    services: list[units.Service] = []
    accounts: tuple[mariadb.Account, ...] = ()
    store = None
    if Role.DATA in node.roles:
        database = mariadb_design(site, node, inputs)
        store = object_store_design(site, node, inputs)
        accounts = database.accounts
        services = [
            mariadb.service(database),
            registry.service(registry_design(site, inputs)),
            objectstore.service(store),
        ]
    if Role.EDGE in node.roles:
        services.append(haproxy.service(edge_design(site, node)))
    return NodeServices(node.name, tuple(services), accounts, store)


def asked(wanted: NodeServices) -> tuple[Asked[Any], ...]:
    """What to ask the node before `plan`."""
    questions = [question for service in wanted.services for question in units.asked(service)]
    if wanted.accounts:
        questions.append(mariadb.ask_accounts())
    if wanted.store:
        questions.append(objectstore.ask_program())
    return tuple(questions)


def plan(facts: Facts, wanted: NodeServices) -> list[Change]:
    """The changes that make the node's services run as declared, in order."""
    changes: list[Change] = []
    if wanted.store:
        changes += objectstore.plan_program(wanted.host, facts, wanted.store)
    for service in wanted.services:
        changes += units.plan(wanted.host, facts, service, _WHY[service.unit])
        if service.unit == mariadb.UNIT:
            changes += mariadb.plan_accounts(wanted.host, facts, wanted.accounts)
    return changes


_WHY = {
    mariadb.UNIT: "the shop's database lies in Oslo",
    registry.UNIT: "the cluster pulls its images from Oslo",
    objectstore.UNIT: "the bucket lies in Oslo",
    haproxy.UNIT: "the way in, with no cloud load balancer",
}


def mariadb_design(site: Site, node: Node, inputs: ServiceInputs) -> mariadb.MariaDbDesign:
    """The database as the site declares it."""
    declared = site.target.database
    cas = dict.fromkeys((inputs.files[declared.ca_file], inputs.files[site.source.database.ca_file]))
    return mariadb.MariaDbDesign(
        bind=str(node.address),
        port=declared.port,
        server_id=SERVER_ID,
        domain_id=inputs.domain_id,
        database=declared.name,
        certificate=_content(inputs, declared.certificate_file),
        key=_content(inputs, declared.key_file),
        ca=b"".join(cas),
        accounts=mariadb.standard_accounts(
            declared.name,
            (declared.admin_user, inputs.admin_password),
            (declared.replication_user, inputs.replication_password),
            (declared.app_user, inputs.app_password),
        ),
    )


def registry_design(site: Site, inputs: ServiceInputs) -> registry.RegistryDesign:
    """The registry as the site declares it."""
    declared = site.target.registry
    return registry.RegistryDesign(
        declared.address, _content(inputs, declared.certificate_file), _content(inputs, declared.key_file)
    )


def object_store_design(site: Site, node: Node, inputs: ServiceInputs) -> objectstore.ObjectStoreDesign:
    """The object store as the site declares it; it listens at the port of the endpoint's URL."""
    declared = site.target.bucket
    port = urlsplit(declared.endpoint_url).port
    if port is None:
        raise BadInput(f"target.bucket.endpoint_url {declared.endpoint_url!r} names no port")
    return objectstore.ObjectStoreDesign(
        address=f"{node.address}:{port}",
        region=declared.region,
        access_key=inputs.objects_access_key,
        secret_key=inputs.objects_secret_key,
        certificate=_content(inputs, declared.certificate_file),
        key=_content(inputs, declared.key_file),
        program=inputs.object_store.path,
        sha256=inputs.object_store.sha256,
    )


def edge_design(site: Site, node: Node) -> EdgeDesign:
    """The edge in Oslo. Until DNS leads to it only checks, the replay and the source's edge come here, and
    they mean the target: so its share is 100 from the start. `source` is the source's own edge."""
    url = urlsplit(site.source.edge.url)
    if not url.hostname:
        raise BadInput(f"source.edge.url {site.source.edge.url!r} names no host")
    return EdgeDesign(
        name=f"{site.name}-oslo",
        bind=f"{node.address}:{urlsplit(site.target.edge.url).port or 80}",
        source=(Server("source-edge", url.hostname, url.port or 80),),
        target=tuple(
            Server(worker.name, str(worker.address), site.workload.node_port) for worker in site.target.nodes
        ),
        home="target",
        runtime=haproxy.RUNTIME,
        folder=haproxy.FOLDER,
        share_percent=100,
        account=haproxy.ACCOUNT,
    )


def _content(inputs: ServiceInputs, path: Path | None) -> bytes:
    if path is None:
        raise BadInput("a service to install has no certificate_file and key_file")
    return inputs.files[path]
