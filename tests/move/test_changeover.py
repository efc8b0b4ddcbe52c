"""The database changes over and back, with real MariaDB servers and a real haproxy, while orders come in."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import pytest

from inventory.models.secret import Secret
from tasks.drivers.errors import OutsideError, ServiceFailed
from tasks.move import changeover as steps
from tasks.move import replica
from tasks.move.changeover import Changeover, Primary, Step, change_over, standing
from tasks.move.compare import compare
from tasks.move.database import move_database
from tasks.move.endpoints import Address, Pointer, addresses, leads_to, point, slice_manifest, slices
from tasks.move.replica import Origin
from tests.drivers.real_edge import Running, running_edge
from tests.drivers.real_mariadb import APP_PASSWORD, REPLICA_PASSWORD, Ca, Server, installed, running_mariadb
from tests.move.local import WallClock
from tests.move.plain_kube import PlainKube
from tests.move.test_database import Pair, seed

pytestmark = pytest.mark.skipif(
    not installed() or shutil.which("haproxy") is None, reason="mariadb-server and haproxy are not installed"
)

SERVICE = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "db-primary", "namespace": "shop"},
    "spec": {"ports": [{"name": "", "port": 3306}]},
}  # fmt: skip


@dataclass
class Shop:
    """Answers a POST with an order in whatever database `db-primary` leads to."""

    kube: PlainKube
    connections: threading.local = field(default_factory=threading.local)

    def order(self, token: str) -> None:
        (where,) = addresses(slices(self.kube, "shop", "db-primary"))
        for attempt in (1, 2):
            connection = getattr(self.connections, "open", None)
            if connection is None:
                host, port = where.split(":")
                connection = pymysql.connect(
                    host=host,
                    port=int(port),
                    user="shop",
                    password=APP_PASSWORD,
                    database="shop",
                    autocommit=True,
                )
                self.connections.open = connection
            try:
                with connection.cursor() as cursor:
                    cursor.execute("INSERT INTO orders (token, cents) VALUES (%s, 1)", (token,))
                return
            except pymysql.OperationalError as error:
                self.connections.open = None
                if attempt == 2 or error.args[0] not in (2006, 2013, 1927):
                    raise


@dataclass
class Scene:
    pair: Pair
    kube: PlainKube
    over: Changeover
    edge: Running
    client: Client


class Client:
    """Places orders through the edge until it is told to stop; remembers each and what was answered."""

    def __init__(self, edge: Running) -> None:
        self._edge, self._stop = edge, threading.Event()
        self.placed: list[str] = []
        self.failed: list[str] = []
        self.slowest_s = 0.0
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(3)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def _run(self, who: int) -> None:
        n = 0
        while not self._stop.is_set():
            token = f"order-{who}-{n}"
            status, _, seconds = self._edge.ask("POST", "/checkout", token.encode())
            (self.placed if status == 200 else self.failed).append(token)
            self.slowest_s = max(self.slowest_s, seconds)
            n += 1
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(40)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    ca = Ca(tmp_path)
    with (
        running_mariadb(tmp_path / "a", ca, 1) as source,
        running_mariadb(tmp_path / "b", ca, 2) as target,
        running_edge(tmp_path) as edge,
    ):
        seed(source)
        pair, clock = Pair(source, target), WallClock()
        move_database(pair.moving(), clock)
        old, new = Address("127.0.0.1", source.port), Address("127.0.0.1", target.port)
        kube = PlainKube("oslo", SERVICE, slice_manifest("shop", "db-primary", old, "db-primary-1"))
        edge.source.server.shop = Shop(kube)  # type: ignore[attr-defined]  # used by the handler
        over = Changeover(
            old=_primary(source), new=_primary(target), database="shop", app_user="shop", edges=(edge.edge,),
            pointers=(Pointer(kube, "shop", "db-primary", old, new, settle_s=0.05),), clock=clock,
            quiet_within_s=2, catch_up_within_s=3,
        )  # fmt: skip
        client = Client(edge)
        client.start()
        time.sleep(0.5)
        try:
            yield Scene(pair, kube, over, edge, client)
        finally:
            client.stop()


def _primary(server: Server) -> Primary:
    return Primary(server.sql(), Origin("127.0.0.1", server.port, "replica", Secret(REPLICA_PASSWORD)))


def orders(server: Server) -> list[str]:
    rows = server.sql().rows("SELECT token FROM shop.orders WHERE token LIKE 'order-%%'", ())
    return sorted(str(row["token"]) for row in rows)


def test_over_and_back_loses_and_doubles_no_order(scene: Scene) -> None:
    outcome = change_over(scene.over)
    assert outcome.failure == ""
    assert outcome.done
    assert standing(scene.over).done
    assert 0 < outcome.freeze_s < 10
    assert list(outcome.steps) == [step.name for step in steps.STEPS]
    time.sleep(0.5)
    assert not change_over(scene.over).failure
    assert addresses(slices(scene.kube, "shop", "db-primary")) == {f"127.0.0.1:{scene.pair.target.port}"}
    at_target = len(orders(scene.pair.target))
    time.sleep(0.3)
    assert len(orders(scene.pair.target)) > at_target

    back = change_over(scene.over.reversed())
    assert back.failure == ""
    time.sleep(0.3)
    scene.client.stop()
    assert scene.client.failed == []
    assert len(scene.client.placed) > 10
    assert scene.client.slowest_s < 15
    assert orders(scene.pair.source) == sorted(scene.client.placed)
    position = replica.position(scene.over.old.sql)
    assert replica.reaches(scene.over.new.sql, position, 5)
    assert orders(scene.pair.target) == sorted(scene.client.placed)


@pytest.mark.parametrize(
    "at", ["wait_quiet", "catch_up", "compare_counts", "promote_new", "follow_new", "point_services"]
)
def test_a_failure_on_the_way_is_undone(scene: Scene, at: str) -> None:
    def around(step: Step, run: Callable[[], str]) -> str:
        result = run()
        if step.name == at:
            raise ServiceFailed("part", "failed on purpose")
        return result

    begun = time.monotonic()
    outcome = change_over(scene.over, around)
    assert (outcome.done, outcome.failed_at, outcome.undo_troubles) == (False, at, [])
    assert time.monotonic() - begun < 15
    assert standing(scene.over).ready
    assert not scene.edge.edge.writes_held()
    time.sleep(0.4)
    again = change_over(scene.over)
    assert again.failure == ""
    time.sleep(0.3)
    scene.client.stop()
    assert scene.client.failed == []
    assert orders(scene.pair.target) == sorted(scene.client.placed)


@pytest.mark.parametrize(
    "killed_after", ["hold_writes", "close_old", "promote_new", "follow_new", "point_services"]
)
def test_a_changeover_that_was_killed_goes_on(scene: Scene, killed_after: str) -> None:
    for step in steps.STEPS:
        step.run(scene.over)
        if step.name == killed_after:
            break
    outcome = change_over(scene.over)
    assert outcome.failure == ""
    assert standing(scene.over).done
    assert not scene.edge.edge.writes_held()
    time.sleep(0.3)
    scene.client.stop()
    assert scene.client.failed == []
    assert orders(scene.pair.target) == sorted(scene.client.placed)


def test_what_the_new_primary_alone_has_is_never_undone(scene: Scene) -> None:
    for step in steps.STEPS[:7]:
        step.run(scene.over)
    scene.over.new.sql.execute("INSERT INTO shop.orders (token, cents) VALUES ('only-here', 1)")
    (trouble,) = steps.undo(scene.over)
    assert "stays the primary" in trouble
    assert standing(scene.over).new_takes_writes
    assert change_over(scene.over).failure == ""
    assert standing(scene.over).done
    position = replica.position(scene.over.new.sql)
    assert replica.reaches(scene.over.old.sql, position, 10)
    assert scene.over.old.sql.rows("SELECT cents FROM shop.orders WHERE token = 'only-here'")


def test_what_the_old_primary_has_followed_may_be_undone(scene: Scene) -> None:
    for step in steps.STEPS[:8]:
        step.run(scene.over)
    scene.over.new.sql.execute("INSERT INTO shop.orders (token, cents) VALUES ('here-too', 1)")
    assert steps.undo(scene.over) == []
    assert standing(scene.over).ready
    assert scene.over.old.sql.rows("SELECT cents FROM shop.orders WHERE token = 'here-too'")


@pytest.mark.parametrize(
    ("here", "wanted", "has"),
    [
        ("0-1-10", "0-1-10", True),
        ("0-2-11", "0-1-10", True),
        ("0-1-9", "0-2-10", False),
        ("0-1-9,1-1-5", "1-1-5", True),
        ("0-1-9", "0-1-9,1-1-1", False),
        ("", "", True),
        ("", "0-1-1", False),
    ],
)
def test_a_position_contains_another(here: str, wanted: str, has: bool) -> None:
    assert replica.contains(here, wanted) == has


def test_a_replica_that_differs_is_not_promoted(scene: Scene) -> None:
    meddler = scene.pair.target.sql()
    meddler.execute("SET SESSION sql_log_bin = 0")
    meddler.execute("INSERT INTO shop.empty VALUES (1)")
    outcome = change_over(scene.over)
    assert outcome.failed_at == "compare_counts"
    assert "empty: 0 old, 1 new" in outcome.failure
    assert standing(scene.over).ready


def test_a_replica_that_does_not_follow_holds_no_write(scene: Scene) -> None:
    scene.over.new.sql.execute("STOP SLAVE")
    outcome = change_over(scene.over)
    assert outcome.failed_at == "ensure_ready"
    assert outcome.freeze_s == 0
    assert not scene.edge.edge.writes_held()


def test_writes_that_never_end_are_not_waited_for(scene: Scene) -> None:
    class Busy:
        name = "edge"

        def __init__(self) -> None:
            self.held: list[bool] = []

        def hold_writes(self, hold: bool) -> None:
            self.held.append(hold)

        def writes_in_flight(self) -> int:
            return 3

    busy: Any = Busy()
    over = Changeover(**{**scene.over.__dict__, "edges": (busy,), "quiet_within_s": 0.2})
    outcome = change_over(over)
    assert outcome.failed_at == "wait_quiet"
    assert "3 writes" in outcome.failure
    assert busy.held == [True, False]
    assert not replica.read_only(scene.over.old.sql)


@pytest.mark.parametrize("domains", [(0, 0), (1, 2)], ids=["one domain", "a domain each"])
@pytest.mark.parametrize("written", [False, True], ids=["nothing written", "written to"])
def test_over_and_back_again_and_again(tmp_path: Path, domains: tuple[int, int], written: bool) -> None:
    ca = Ca(tmp_path)
    with (
        running_mariadb(tmp_path / "a", ca, 1, domains[0]) as source,
        running_mariadb(tmp_path / "b", ca, 2, domains[1]) as target,
    ):
        seed(source)
        clock = WallClock()
        move_database(Pair(source, target).moving(), clock)
        over = Changeover(_primary(source), _primary(target), "shop", "shop", (), (), clock)
        for turn in (over, over.reversed(), over, over.reversed()):
            assert change_over(turn).failure == ""
            if written:
                turn.new.sql.execute("INSERT INTO shop.orders (token, cents) VALUES (UUID(), 1)")
            assert replica.reaches(turn.old.sql, replica.position(turn.new.sql), 10)
            deadline = time.monotonic() + 10
            while not (state := replica.following(turn.old.sql)) or not state.healthy:
                assert time.monotonic() < deadline, state
                time.sleep(0.1)
        assert compare(over.old.sql, over.new.sql, "shop", clock).differences == ()


def test_pointing_a_service_twice_changes_nothing_and_drops_other_slices() -> None:
    old, new = Address("198.18.0.11", 3306), Address.of("10.60.0.11:3306")
    kube = PlainKube(
        "oslo",
        SERVICE,
        slice_manifest("shop", "db-primary", old, "a"),
        slice_manifest("shop", "db-primary", old, "b"),
    )
    assert point(kube, "shop", "db-primary", new)
    assert not point(kube, "shop", "db-primary", new)
    assert addresses(slices(kube, "shop", "db-primary")) == {"10.60.0.11:3306"}
    assert len(slices(kube, "shop", "db-primary")) == 1


def test_an_address_must_be_one() -> None:
    with pytest.raises(ValueError, match=r"rds\.example"):
        Address("rds.example", 3306)


def test_the_rules_of_kube_proxy_are_read() -> None:
    rules = """*nat
-A KUBE-SEP-AAAA -s 198.18.0.11/32 -m comment --comment "shop/db-primary" -j KUBE-MARK-MASQ
-A KUBE-SEP-AAAA -p tcp -m comment --comment "shop/db-primary" -m tcp -j DNAT --to-destination 198.18.0.11:3306
-A KUBE-SEP-BBBB -p tcp -m comment --comment "shop/db-primary-2:mysql" -m tcp -j DNAT --to-destination 10.1.1.1:3306
-A KUBE-SEP-CCCC -p tcp -m comment --comment "shop/db-read:mysql" -m tcp -j DNAT --to-destination 10.60.0.11:3306
COMMIT
"""  # noqa: E501 - recorded rules
    assert leads_to(rules, "shop/db-primary") == {"198.18.0.11:3306"}
    assert leads_to(rules, "shop/db-read") == {"10.60.0.11:3306"}


def test_a_release_that_fails_tries_every_edge() -> None:
    class Edge:
        def __init__(self, name: str, broken: bool) -> None:
            self.name, self.broken, self.held = name, broken, True

        def hold_writes(self, hold: bool) -> None:
            if self.broken:
                raise ServiceFailed(self.name, "gone")
            self.held = hold

    edges: Any = (Edge("one", True), Edge("two", False))
    over = Changeover(None, None, "shop", "shop", edges, (), WallClock())  # type: ignore[arg-type]  # not asked
    with pytest.raises(OutsideError, match="one"):
        steps.release_writes(over)
    assert not edges[1].held
