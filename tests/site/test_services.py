"""The services beside the cluster on a bare node: up over SSH, nothing the second time, and what heals.

One node beside any other site: names, addresses and state of its own.
"""

from __future__ import annotations

import hashlib
import ssl
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from inventory.models.change import Change
from inventory.models.cluster import Node
from inventory.models.command import Command
from inventory.models.secret import Secret
from inventory.models.ssh import Ssh
from inventory.models.stored_object import ObjectMetadata, StoredObject
from rehearsal import netns, nodes, teardown
from rehearsal.plan import Machine, Plan
from rehearsal.state import State
from tasks.drivers.edge import HaproxyEdge, over_host
from tasks.drivers.errors import LoginRefused
from tasks.drivers.mariadb import MariaDb
from tasks.drivers.objects import S3Bucket
from tasks.drivers.registry import Skopeo
from tasks.drivers.ssh import SshHost
from tasks.facts.gather import gather
from tasks.operations import haproxy, mariadb, objectstore, registry
from tasks.operations.apply import apply_all
from tasks.operations.haproxy_config import EdgeDesign, Server
from tests.drivers.real_mariadb import Ca
from tests.drivers.real_registry import push_image, store_program
from tests.operations.service_set import NodeServices, asked, plan

pytestmark = [pytest.mark.site, pytest.mark.skipif(store_program() is None, reason="versitygw is not built")]

_RENAMED = (("198.18.0.", "198.19.9."), ("10.40.0.", "10.48.0."), ("10.60.0.", "10.68.0."), ("shx-", "shd-"))
_STATE = Path("/var/lib/safe-harbor/rehearsal-services")
PASSWORD = Secret("site-test-word-1")


def _renamed(text: str) -> str:
    for old, new in _RENAMED:
        text = text.replace(old, new)
    return text


def plan_of() -> Plan:
    whole = Plan(state=_STATE)
    values = {field.name: getattr(whole, field.name) for field in fields(whole)}
    changed: dict[str, Any] = {k: _renamed(v) for k, v in values.items() if isinstance(v, str)}
    first = whole.oslo_nodes[0]
    machine = Machine(f"d-{first.name}", _renamed(first.address))
    return replace(whole, **changed, aws_nodes=(), oslo_nodes=(machine,))


@dataclass
class Bare:
    address: str
    host: SshHost
    ca: Ca
    folder: Path

    def wanted(self, password: Secret = PASSWORD) -> NodeServices:
        pairs = {name: self.ca.issue(name) for name in ("db", "registry", "objects")}
        read = {name: (c.read_bytes(), k.read_bytes()) for name, (c, k) in pairs.items()}
        program = store_program()
        assert program is not None
        database = mariadb.MariaDbDesign(
            self.address, 3306, 2, 1, "shop", *read["db"], self.ca.file.read_bytes(),
            mariadb.standard_accounts(
                "shop", ("safe_harbor", password), ("replica", password), ("shop", password)
            ),
            buffer_pool_mb=64,
        )  # fmt: skip
        store = objectstore.ObjectStoreDesign(
            f"{self.address}:9000", "us-east-1", "AKIATEST", Secret("test-secret"), *read["objects"],
            program, hashlib.sha256(Path(program).read_bytes()).hexdigest(),
        )  # fmt: skip
        edge = EdgeDesign(
            "oslo", f"{self.address}:80", (Server("source", "198.19.9.10", 80),),
            (Server("here", self.address, 30080),), "target", haproxy.RUNTIME, haproxy.FOLDER,
            share_percent=100, account=haproxy.ACCOUNT,
        )  # fmt: skip
        return NodeServices(
            self.host.name,
            (
                mariadb.service(database),
                registry.service(registry.RegistryDesign(f"{self.address}:5000", *read["registry"])),
                objectstore.service(store),
                haproxy.service(edge),
            ),
            database.accounts,
            store,
        )

    def planned(self, wanted: NodeServices) -> list[Change]:
        return plan(gather(self.host, asked(wanted)), wanted)

    def made(self, wanted: NodeServices) -> list[str]:
        changes = self.planned(wanted)
        outcome = apply_all(self.host, changes)
        assert outcome.ok, outcome.error
        return [change.subject for change in changes]

    def sql(self, password: Secret = PASSWORD) -> MariaDb:
        return MariaDb(self.address, 3306, "safe_harbor", password, self.ca.file)


class CaOf(Ca):
    """A CA whose certificates are for the node's address, each issued once."""

    def issue(self, name: str) -> tuple[Path, Path]:
        pair = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        return pair if pair[0].exists() else super().issue(name)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    whole = plan_of()
    teardown.down(whole)
    state = State(whole)
    folder = tmp_path_factory.mktemp("services")
    (machine,) = whole.oslo_nodes
    try:
        nodes.make_keys(whole, whole.oslo_nodes)
        netns.raise_wan(whole, state)
        nodes.boot(whole, state, whole.oslo_nodes)
        node = Node.model_validate(
            {"name": machine.name, "address": machine.address, "host_key": nodes.host_key(whole, machine)}
        )
        host = SshHost(node, Ssh(identity_file=whole.ssh_key))
        yield Bare(machine.address, host, CaOf(folder, ("localhost", machine.address)), folder)
        host.close()
    finally:
        teardown.down(whole)


def test_services_come_up_and_a_second_run_changes_nothing(bare: Bare) -> None:
    wanted = bare.wanted()
    first = bare.made(wanted)
    assert sum(subject.startswith("service ") for subject in first) == 4
    assert bare.made(wanted) == []

    row = bare.sql().rows("SELECT @@server_id AS id, @@gtid_binlog_pos AS at, @@have_ssl AS tls")[0]
    assert (row["id"], row["at"], row["tls"]) == (2, "", "YES")

    credentials = bare.folder / "credentials"
    credentials.write_text("[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = test-secret\n")
    media = S3Bucket("media", credentials, endpoint_url=f"https://{bare.address}:9000", ca_file=bare.ca.file)
    assert media.create()
    assert media.let_anyone_read()
    media.write("x.jpg", StoredObject(b"x", ObjectMetadata({"Content-Type": "image/jpeg"})))
    trust = ssl.create_default_context(cafile=str(bare.ca.file))
    with urllib.request.urlopen(f"https://{bare.address}:9000/media/x.jpg", context=trust) as answer:
        assert answer.read() == b"x"

    digest = push_image(bare.folder, bare.ca, f"{bare.address}:5000/fjordshop/shop:1", b"shop")
    with Skopeo({f"{bare.address}:5000": bare.ca.file}) as copier:
        assert copier.digest(f"{bare.address}:5000/fjordshop/shop:1") == digest

    edge = HaproxyEdge("oslo", over_host(bare.host, haproxy.RUNTIME))
    assert edge.weights() == {"source": 0, "target": 100}
    edge.hold_writes(True)
    assert edge.writes_held()
    edge.hold_writes(False)
    assert bare.made(wanted) == []


def test_a_changed_password_and_a_stopped_service_heal(bare: Bare) -> None:
    bare.made(bare.wanted())
    newer = Secret("site-test-word-2")
    bare.host.check(Command.of("systemctl", "stop", haproxy.UNIT, registry.UNIT))
    assert bare.made(bare.wanted(newer)) == [
        "MariaDB account safe_harbor",
        "MariaDB account replica",
        "MariaDB account shop",
        f"service {registry.UNIT}",
        f"service {haproxy.UNIT}",
    ]
    assert bare.sql(newer).rows("SELECT 1 AS one") == [{"one": 1}]
    with pytest.raises(LoginRefused):
        bare.sql().rows("SELECT 1")
    assert bare.made(bare.wanted()) != []


def test_the_database_outlives_a_restart_with_what_it_had(bare: Bare) -> None:
    bare.made(bare.wanted())
    bare.sql().execute("CREATE OR REPLACE DATABASE kept")
    bare.host.check(Command.of("systemctl", "restart", mariadb.UNIT), timeout_s=120)
    assert bare.sql().rows("SHOW DATABASES LIKE 'kept'")
    bare.sql().execute("DROP DATABASE kept")
    assert bare.made(bare.wanted()) == []
