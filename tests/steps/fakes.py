"""A shop on two sides, in memory, behind the ports: databases that replicate, edges, a zone.

Traffic flows while somebody sleeps on the world's clock. Every call that changes something is kept in
`calls`; `when[call]` runs an action just before that call takes effect: raise there, or break a part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from inventory.models.command import Shellable
from inventory.models.site import Site
from tasks.drivers.errors import HostUnreachable
from tasks.drivers.ports import Output
from tasks.move.endpoints import Address, addresses, slice_manifest, slices
from tests.move.memory_bucket import MemoryBucket
from tests.move.plain_kube import PlainKube

SOURCE_DB, TARGET_DB = "198.18.0.11:3306", "10.60.0.11:3306"
SOURCE_EDGE, TARGET_EDGE = "198.18.0.10", "10.60.0.11"
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "db-primary", "namespace": "shop"},
    "spec": {"ports": [{"name": "mysql", "port": 3306}]},
}


@dataclass
class World:
    """Both sides. `refused` counts orders that met a database which takes no writes: there must be none."""

    calls: list[str] = field(default_factory=list)
    when: dict[str, Callable[[], None]] = field(default_factory=dict)
    rate_rps: float = 1000.0
    target_errors: float = 0.0  # share of the target's answers that are 5xx
    target_up: bool = True
    target_database_up: bool = True
    refused: int = 0
    skew: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.source_sql = FakeSql(self, SOURCE_DB)
        self.target_sql = FakeSql(self, TARGET_DB, read_only=True, follows=SOURCE_DB)
        self.source_edge = FakeEdge(self, SOURCE_EDGE, share=0)
        self.target_edge = FakeEdge(self, TARGET_EDGE, share=100)
        self.zone = FakeZone(self)
        self.source_bucket = MemoryBucket("s3://fjordshop-media", {"a.jpg": b"a"})
        self.target_bucket, self.target_bucket_made = MemoryBucket("s3://media", {}), False
        at_source = slice_manifest("shop", "db-primary", Address.of(SOURCE_DB), "db-primary-1")
        self.kube = RecordingKube(self, "oslo", SERVICE, at_source)
        self.source_kube = RecordingKube(self, "source")
        self.aws = FakeAws(self)
        self.clock = FakeClock(self)
        self.orders = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "when": {}}

    def call(self, what: str) -> None:
        """Note a change before it takes effect."""
        self.calls.append(what)
        if what in self.when:
            self.when.pop(what)()

    def drivers(self, site: Site) -> Any:
        """What `opened(make_drivers=...)` takes."""
        return FakeDrivers(self, site)

    def flow(self, seconds: float) -> None:
        """Let the customers come for that long: they go where DNS and the edges send them."""
        requests = int(self.rate_rps * seconds)
        if not requests:
            return
        edge = self.target_edge if TARGET_EDGE in self.zone.addresses else self.source_edge
        at_target = -(-requests * edge.share // 100)
        edge.serve("source", requests - at_target)
        edge.serve("target", at_target)
        if at_target and not edge.held:
            self.order(next(iter(addresses(slices(self.kube, "shop", "db-primary")))))
        if at_target < requests and not edge.held:
            self.order(SOURCE_DB)

    def order(self, where: str) -> None:
        """An order is placed in this database."""
        sql = self.source_sql if where == SOURCE_DB else self.target_sql
        if sql.read_only:
            self.refused += 1
            return
        self.orders += 1
        sql.orders.append(self.orders)

    def at_the_source(self) -> bool:
        """Whether the shop is wholly at the source, writes included, and its replica follows."""
        return (
            not self.source_sql.read_only
            and self.target_sql.read_only
            and self.target_sql.follows == SOURCE_DB
            and self.source_edge.share == 0
            and not self.source_edge.held
            and not self.target_edge.held
            and self.zone.addresses == (SOURCE_EDGE,)
            and addresses(slices(self.kube, "shop", "db-primary")) == {SOURCE_DB}
        )

    def at_the_target(self) -> bool:
        """Whether the cutover stands."""
        return (
            self.source_sql.read_only
            and not self.target_sql.read_only
            and self.source_sql.follows == TARGET_DB
            and self.source_edge.share == 100
            and not self.source_edge.held
            and not self.target_edge.held
            and self.zone.addresses == (TARGET_EDGE,)
            and addresses(slices(self.kube, "shop", "db-primary")) == {TARGET_DB}
        )


@dataclass
class FakeClock:
    world: World

    def now(self) -> datetime:
        return datetime.now(UTC) + self.world.skew

    def sleep(self, seconds: float) -> None:
        self.world.skew += timedelta(seconds=seconds)
        self.world.flow(seconds)


@dataclass
class FakeSql:
    """A server whose every transaction is an order; a follower has them as soon as it is asked."""

    world: World
    name: str
    read_only: bool = False
    follows: str = ""
    started: bool = True
    orders: list[int] = field(default_factory=list)

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        self._reached()
        self._catch_up()
        if found := re.search(r"@@GLOBAL\.(\w+)", statement):
            position = f"0-1-{len(self.orders)}"
            return [
                {
                    "value": {
                        "read_only": int(self.read_only),
                        "gtid_current_pos": position,
                        "gtid_slave_pos": position,
                        "ssl_ca": "/etc/mysql/ca.crt",
                    }[found.group(1)]
                }
            ]
        if statement == "SHOW SLAVE STATUS":
            if not self.follows:
                return []
            host, _, port = self.follows.partition(":")
            runs = "Yes" if self.started else "No"
            return [
                {
                    "Master_Host": host,
                    "Master_Port": int(port),
                    "Slave_IO_Running": runs,
                    "Slave_SQL_Running": runs,
                    "Seconds_Behind_Master": 0,
                    "Last_IO_Error": "",
                    "Last_SQL_Error": "",
                }
            ]
        if "MASTER_GTID_WAIT" in statement:
            wanted = int(str(parameters[0]).rpartition("-")[2])
            return [{"waited": 0 if len(self.orders) >= wanted else -1}]
        if "PROCESSLIST" in statement:
            return [{"n": 1}]
        if "information_schema.TABLES" in statement:
            figures = {"estimate": 0, "row_estimate": len(self.orders), "size_bytes": 0, "counter": None}
            return [{"name": "orders", **figures}]
        if "COUNT(*)" in statement:
            return [{"which": 0, "n": len(self.orders)}]
        raise AssertionError(f"the fake does not know {statement!r}")

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        self._reached()
        self.world.call(f"sql {self.name} {' '.join(statement.split()[:2])}{_detail(statement, parameters)}")
        self._catch_up()
        if statement.startswith("SET GLOBAL read_only"):
            self.read_only = statement.endswith("ON")
        elif statement == "STOP SLAVE":
            self.started = False
        elif statement == "RESET SLAVE ALL":
            self.follows = ""
        elif statement.startswith("CHANGE MASTER"):
            self.follows = f"{parameters[0]}:{parameters[1]}"
        elif statement == "START SLAVE":
            self.started = True
        elif not statement.startswith(("SET GLOBAL gtid_slave_pos", "KILL CONNECTION")):
            raise AssertionError(f"the fake does not know {statement!r}")
        return 0

    def close(self) -> None:
        """Nothing is open."""

    def _reached(self) -> None:
        if self.name == TARGET_DB and not self.world.target_database_up:
            raise HostUnreachable(self.name, "does not answer")

    def _catch_up(self) -> None:
        if self.follows and self.started:
            other = self.world.source_sql if self.follows == SOURCE_DB else self.world.target_sql
            ahead = other.orders[: len(self.orders)]
            assert ahead == self.orders, f"{self.name} has orders that {self.follows} lacks"
            self.orders = list(other.orders)


def _detail(statement: str, parameters: Sequence[Any]) -> str:
    if statement.startswith("SET GLOBAL read_only"):
        return statement.removeprefix("SET GLOBAL")
    return f" {parameters[0]}" if statement.startswith("CHANGE MASTER") else ""


@dataclass
class FakeEdge:
    world: World
    name: str
    share: int
    held: bool = False
    counted: dict[str, dict[str, int]] = field(
        default_factory=lambda: {
            side: {"requests": 0, "errors": 0, "fallbacks": 0} for side in ("source", "target")
        }
    )

    def serve(self, side: str, requests: int) -> None:
        figures = self.counted[side]
        figures["requests"] += requests
        if side == "target" and requests:
            if not self.world.target_up:
                figures["fallbacks"] += requests
            figures["errors"] += -(-int(requests * self.world.target_errors * 1000) // 1000)

    def weights(self) -> dict[str, int]:
        return {"source": 100 - self.share, "target": self.share}

    def shift(self, weights: Mapping[str, int]) -> None:
        self.world.call(f"edge {self.name} shift {weights['target']}")
        self.share = weights["target"]

    def hold_writes(self, hold: bool) -> None:
        self.world.call(f"edge {self.name} {'hold' if hold else 'release'}")
        self.held = hold

    def writes_in_flight(self) -> int:
        return 0

    def counters(self) -> dict[str, dict[str, int]]:
        up = int(self.world.target_up)
        return {
            side: {**figures, "sessions": 0, "servers": 1, "servers_up": up if side == "target" else 1}
            for side, figures in self.counted.items()
        }


@dataclass
class FakeZone:
    world: World
    addresses: tuple[str, ...] = (SOURCE_EDGE,)
    ttl_s: int = 2

    def address(self, name: str) -> tuple[tuple[str, ...], int]:
        return self.addresses, self.ttl_s

    def name_servers(self) -> tuple[str, ...]:
        return ("ns1.fjordshop.example",)

    def set_address(self, name: str, addresses: Sequence[str], ttl_s: int) -> None:
        self.world.call(f"dns {' '.join(addresses)}")
        self.addresses, self.ttl_s = tuple(addresses), ttl_s


class RecordingKube(PlainKube):
    """Objects in memory; every apply and delete is a call of the world."""

    def __init__(self, world: World, name: str, *objects: Mapping[str, Any]) -> None:
        super().__init__(name, *objects)
        self.world = world

    def apply(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> bool:
        if not dry_run:
            self.world.call(f"kube {self.name} apply {manifest['kind']} {manifest['metadata']['name']}")
        return super().apply(manifest, dry_run=dry_run)


@dataclass
class FakeAws:
    """An account with one server of the source's cluster, one of somebody else's, and the database."""

    world: World
    name: str = "123456789012"

    def regions(self) -> Sequence[str]:
        return ("us-east-1",)

    def items(
        self, service: str, region: str, operation: str, key: str, parameters: Any = None
    ) -> list[dict[str, Any]]:
        return []

    def call(
        self, service: str, region: str, operation: str, parameters: Any = None, *, absent: Sequence[str] = ()
    ) -> dict[str, Any] | None:
        self.world.call(f"aws {service} {operation}")
        return {}


@dataclass
class FakeNode:
    """A node of the target whose kube-proxy has the EndpointSlices' addresses in its rules."""

    world: World
    name: str

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        return Output(0, self.check(command), "", 0.0)

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        assert "iptables-save" in command.render()
        return "".join(
            f'-A KUBE-SEP-A -m comment --comment "shop/db-primary:mysql" -j DNAT --to-destination {where}\n'
            for where in addresses(slices(self.world.kube, "shop", "db-primary"))
        )

    def put_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        raise AssertionError("the cutover writes no file on a node")

    def put_program(self, path: str, source: object, sha256: str, *, mode: int = 0o755) -> None:
        raise AssertionError("the cutover puts no program on a node")

    def lock(self, holder: str) -> None:
        """Nobody else is here."""

    def close(self) -> None:
        """Nothing is open."""


class FakeDrivers:
    """Has the methods of `tasks.steps.drivers.Drivers`."""

    def __init__(self, world: World, site: Site) -> None:
        self.world, self.site, self.closed, self.unlocked = world, site, False, 0
        self.own_hosts: dict[str, Any] = {}

    def close(self) -> None:
        self.closed = True

    def unlock_hosts(self) -> None:
        self.unlocked += 1

    def hosts(self) -> Mapping[str, Any]:
        return {node.name: self.host(node.name) for node in self.site.target.nodes}

    def host(self, name: str) -> Any:
        return self.own_hosts.get(name) or FakeNode(self.world, name)

    def aws(self) -> Any:
        return self.world.aws

    def release_aws(self) -> None:
        """Nothing is held."""

    def source_kube(self) -> Any:
        return self.world.source_kube

    def target_kube(self) -> Any:
        return self.world.kube

    def source_database(self) -> Any:
        return self.world.source_sql

    def target_database(self) -> Any:
        return self.world.target_sql

    def source_edge(self) -> Any:
        return self.world.source_edge

    def target_edge(self) -> Any:
        return self.world.target_edge

    def dns(self) -> Any:
        return self.world.zone

    def source_bucket(self) -> Any:
        return self.world.source_bucket

    def target_bucket(self) -> Any:
        return self.world.target_bucket

    def target_bucket_stands(self) -> tuple[bool, bool]:
        return self.world.target_bucket_made, self.world.target_bucket_made

    def create_target_bucket(self) -> bool:
        if self.world.target_bucket_made:
            return False
        self.world.call("bucket media create")
        self.world.target_bucket_made = True
        return True
