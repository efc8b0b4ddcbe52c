"""Copy, follow and compare, with two real MariaDB servers and concurrent writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inventory.models.secret import Secret
from tasks.drivers.errors import CommandFailed, ServiceFailed
from tasks.move import replica
from tasks.move.compare import compare, quick_counts
from tasks.move.database import Login, Moving, move_database, option_file, plan_database
from tasks.move.replica import Origin
from tests.drivers.real_mariadb import (
    ADMIN_PASSWORD,
    APP_PASSWORD,
    REPLICA_PASSWORD,
    Ca,
    Server,
    installed,
    running_mariadb,
)
from tests.move.local import LocalHost, WallClock

pytestmark = pytest.mark.skipif(not installed(), reason="mariadb-server is not installed")


@dataclass
class Pair:
    source: Server
    target: Server

    def moving(self, password: str = ADMIN_PASSWORD) -> Moving:
        ca = str(self.source.ca.file)
        return Moving(
            source=self.source.sql(), target=self.target.sql(), database="shop", node=LocalHost(),
            origin=Origin("127.0.0.1", self.source.port, "replica", Secret(REPLICA_PASSWORD)),
            dump=Login("127.0.0.1", self.source.port, "admin", Secret(password), ca),
            load=Login("127.0.0.1", self.target.port, "admin", Secret(ADMIN_PASSWORD), ca),
        )  # fmt: skip


def seed(server: Server) -> None:
    sql = server.sql()
    sql.execute("CREATE DATABASE shop")
    sql.execute(
        "CREATE TABLE shop.orders (id INT AUTO_INCREMENT PRIMARY KEY, token VARCHAR(60) UNIQUE, cents INT)"
    )
    sql.execute("CREATE TABLE shop.odd (a DOUBLE, b BLOB, c DATETIME(3), d VARCHAR(20), `e``f` DECIMAL(9,3))")
    sql.execute("CREATE TABLE shop.empty (id INT)")
    for n in range(200):
        sql.execute("INSERT INTO shop.orders (token, cents) VALUES (%s, %s)", (f"seed-{n}", n))
    sql.execute(
        "INSERT INTO shop.odd VALUES (1.5, x'00ff', '2015-10-06 09:30:00.123', 'blåbær', 1.25),"
        " (NULL, NULL, NULL, NULL, NULL)"
    )
    sql.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    ca = Ca(tmp_path)
    with running_mariadb(tmp_path / "a", ca, 1) as source, running_mariadb(tmp_path / "b", ca, 2) as target:
        seed(source)
        yield Pair(source, target)


class Writer:
    """Places orders at the source until it is told to stop."""

    def __init__(self, server: Server) -> None:
        self._sql = server.sql("shop", APP_PASSWORD, "shop")
        self._stop = threading.Event()
        self.placed = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._stop.is_set():
            self._sql.execute("INSERT INTO orders (token, cents) VALUES (UUID(), 1)")
            self.placed += 1
            time.sleep(0.002)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self._sql.close()


def test_a_database_moves_while_it_is_written_to(pair: Pair) -> None:
    moving, clock = pair.moving(), WallClock()
    assert planned(moving) == (
        f"copy the database shop from {moving.source.name}",
        "let the target's database take no writes",
        f"let the target's database follow 127.0.0.1:{pair.source.port}",
    )
    assert plan_database(moving.source, None, "shop", moving.origin) == planned(moving)
    assert replica.following(moving.target) is None
    with Writer(pair.source) as writer:
        time.sleep(0.2)
        moved = move_database(moving, clock)
        assert moved.copied
        assert moved.changes == 3
        assert planned(moving) == ()
        assert replica.read_only(moving.target)
        seen: list[tuple[str, int, int]] = []
        first = compare(moving.source, moving.target, "shop", clock, on_table=lambda *what: seen.append(what))
        second = compare(moving.source, moving.target, "shop", clock)
        assert move_database(moving, clock).changes == 0
    assert writer.placed > 10
    assert first.differences == second.differences == ()
    assert set(first.source) == {"orders", "odd", "empty"}
    assert 200 < first.source["orders"].rows < second.source["orders"].rows
    assert seen[-1][1:] == (6, 6)
    assert replica.reaches(moving.target, replica.position(moving.source), 10)
    assert quick_counts(moving.source, "shop") == quick_counts(moving.target, "shop")
    assert compare(moving.source, moving.target, "shop", clock).source["orders"].rows == 200 + writer.placed


def planned(moving: Moving) -> tuple[str, ...]:
    return plan_database(moving.source, moving.target, moving.database, moving.origin)


def test_a_plan_names_only_what_the_next_run_changes(pair: Pair) -> None:
    moving, clock = pair.moving(), WallClock()
    move_database(moving, clock)
    moving.target.execute("STOP SLAVE")
    moving.target.execute("SET GLOBAL read_only = OFF")
    assert planned(moving) == (
        "let the target's database take no writes",
        f"let the target's database follow 127.0.0.1:{pair.source.port}",
    )
    assert move_database(moving, clock).changes == 2
    assert planned(moving) == ()


def test_differences_are_named_by_table(pair: Pair) -> None:
    moving, clock = pair.moving(), WallClock()
    move_database(moving, clock)
    meddler = pair.target.sql()
    meddler.execute("SET SESSION sql_log_bin = 0")
    meddler.execute("UPDATE shop.orders SET cents = cents + 1 WHERE id = 7")
    meddler.execute("DELETE FROM shop.odd WHERE a IS NULL")
    meddler.execute("ALTER TABLE shop.empty ADD COLUMN more INT")
    meddler.execute("CREATE TABLE shop.extra (id INT)")
    assert compare(moving.source, moving.target, "shop", clock).differences == (
        "table empty: the definitions differ",
        "table extra: only at the target",
        "table odd: 2 rows at the source, 1 at the target",
        "table orders: 200 rows each, but their contents differ",
    )
    following = replica.following(moving.target)
    assert following is not None
    assert following.applies


def test_a_target_with_writes_of_its_own_is_not_overwritten(pair: Pair) -> None:
    pair.target.sql().execute("CREATE DATABASE shop")
    with pytest.raises(ServiceFailed, match="writes of its own"):
        move_database(pair.moving(), WallClock())
    with pytest.raises(ServiceFailed, match="writes of its own"):
        planned(pair.moving())


def test_a_copy_that_fails_is_an_error_and_can_be_repeated(pair: Pair) -> None:
    with pytest.raises(CommandFailed, match="mariadb-dump ended with 2") as caught:
        move_database(pair.moving("wrong-password"), WallClock())
    assert "wrong-password" not in str(caught.value)
    assert replica.following(pair.target.sql()) is None
    assert move_database(pair.moving(), WallClock()).copied


def test_passwords_are_quoted_in_option_files() -> None:
    login = Login("h", 1, "u", Secret('a"b\\c #;'), "/ca")
    assert 'password="a\\"b\\\\c #;"' in option_file(login, login)
    with pytest.raises(ValueError, match="line break"):
        option_file(Login("h", 1, "u", Secret("a\nuser=root"), "/ca"), login)
