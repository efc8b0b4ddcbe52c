"""The MariaDB driver, with a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory.models.secret import Secret
from tasks.drivers.errors import Denied, HostUnreachable, LoginRefused, ServiceFailed
from tasks.drivers.mariadb import MariaDb
from tests.drivers.real_edge import free_port
from tests.drivers.real_mariadb import ADMIN_PASSWORD, APP_PASSWORD, Ca, Server, installed, running_mariadb

pytestmark = pytest.mark.skipif(not installed(), reason="mariadb-server is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mariadb")
    with running_mariadb(folder / "one", Ca(folder), 1) as running:
        yield running


def test_rows_and_changes_over_tls(server: Server) -> None:
    sql = server.sql()
    sql.execute("CREATE DATABASE IF NOT EXISTS shop")
    sql.execute("CREATE OR REPLACE TABLE shop.t (id INT PRIMARY KEY, name VARCHAR(50))")
    assert sql.execute("INSERT INTO shop.t VALUES (%s, %s), (%s, %s)", (1, "blåbær", 2, "100 %")) == 2
    assert sql.rows("SELECT * FROM shop.t ORDER BY id") == [
        {"id": 1, "name": "blåbær"},
        {"id": 2, "name": "100 %"},
    ]
    assert sql.rows("SHOW STATUS LIKE 'Ssl_version'")[0]["Value"].startswith("TLSv1.")
    assert sql.name == f"127.0.0.1:{server.port}"
    sql.close()
    assert sql.rows("SELECT 1 AS one") == [{"one": 1}]
    sql.close()


def test_a_lost_idle_connection_is_made_anew(server: Server) -> None:
    sql, killer = server.sql(), server.sql()
    sql._ping_after_idle_s = 0.0
    number = sql.rows("SELECT CONNECTION_ID() AS id")[0]["id"]
    killer.execute("KILL %s", (number,))
    assert sql.rows("SELECT CONNECTION_ID() AS id")[0]["id"] != number


def test_a_connection_lost_in_a_transaction_is_an_error(server: Server) -> None:
    sql, killer = server.sql(), server.sql()
    sql.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    killer.execute("KILL %s", (sql.rows("SELECT CONNECTION_ID() AS id")[0]["id"],))
    with pytest.raises(HostUnreachable):
        sql.rows("SELECT 1")


def test_a_wrong_password(server: Server) -> None:
    with pytest.raises(LoginRefused, match="admin") as caught:
        server.sql(password="wrong-one").rows("SELECT 1")
    assert "wrong-one" not in str(caught.value)


def test_a_missing_right(server: Server) -> None:
    with pytest.raises(Denied, match="shop"):
        server.sql("shop", APP_PASSWORD).rows("SELECT * FROM mysql.user")


def test_a_broken_statement(server: Server) -> None:
    with pytest.raises(ServiceFailed, match="error 1064"):
        server.sql().rows("SELEKT 1")


def test_a_certificate_of_another_ca_is_refused(server: Server, tmp_path: Path) -> None:
    sql = MariaDb("127.0.0.1", server.port, "admin", Secret(ADMIN_PASSWORD), Ca(tmp_path).file)
    with pytest.raises(ServiceFailed, match="TLS certificate is not trusted"):
        sql.rows("SELECT 1")


def test_a_ca_file_that_is_not_there(server: Server, tmp_path: Path) -> None:
    sql = MariaDb("127.0.0.1", server.port, "admin", Secret(ADMIN_PASSWORD), tmp_path / "no.crt")
    with pytest.raises(ServiceFailed, match=r"no\.crt"):
        sql.rows("SELECT 1")


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    port = free_port()
    sql = MariaDb("127.0.0.1", port, "admin", Secret("x"), Ca(tmp_path).file)
    with pytest.raises(HostUnreachable, match=str(port)):
        sql.rows("SELECT 1")
