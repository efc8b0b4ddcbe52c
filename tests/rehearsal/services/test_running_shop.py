"""The Go shop against a real MariaDB over TLS and real buckets, through a real haproxy and link."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pymysql.cursors
import pytest

from rehearsal.plan import Plan
from rehearsal.services import catalogue
from rehearsal.services.database import APP_USER, connect_locally
from rehearsal.state import State
from tests.rehearsal.services.conftest import ShopProcesses, free_port

pytestmark = pytest.mark.slow
Site = tuple[Plan, State, Path]


class Asked:
    def __init__(self, plan: Plan, method: str, path: str, *, to: str = "", **form: Any) -> None:
        host, _, port = (to or f"{plan.aws_nodes[0].address}:{plan.node_port}").rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=15)
        body = urlencode(form) if form else None
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        connection.close()


def rows(plan: Plan, statement: str, *parameters: Any) -> list[dict[str, Any]]:
    with connect_locally(plan, plan.database) as connection:
        cursor = connection.cursor(pymysql.cursors.DictCursor)
        cursor.execute(statement, parameters)
        connection.commit()
        return list(cursor.fetchall())


def fill(plan: Plan, session: str, **to: str) -> None:
    assert Asked(plan, "POST", "/cart", session=session, product=4, quantity=2, **to).status == 200


def test_the_seed_has_the_announced_counts(site: Site) -> None:
    plan = site[0]
    counts = {
        table: rows(plan, f"SELECT COUNT(*) AS n FROM {table}")[0]["n"]  # noqa: S608 - constants
        for table in ("products", "customers", "order_lines")
    }
    orders = rows(plan, "SELECT COUNT(*) AS n FROM orders WHERE token LIKE 'seed-%%'")[0]["n"]
    assert counts == {"products": 2000, "customers": 300, "order_lines": counts["order_lines"]}
    assert counts["order_lines"] >= len(catalogue.order_rows()[1])
    assert orders == catalogue.ORDERS


def test_pages_are_the_same_from_every_replica_and_say_nothing_of_it(site: Site, shop: ShopProcesses) -> None:
    plan = site[0]
    for path in ("/", "/product/7", "/search?q=wool", "/cart/nobody"):
        bodies = set()
        for node in plan.aws_nodes:
            got = Asked(plan, "GET", path, to=f"{node.address}:{plan.node_port}")
            assert got.status == 200
            assert got.headers["X-Shop-Site"] == "aws"
            assert re.fullmatch(r"app;dur=\d+\.\d{3}", got.headers["Server-Timing"] or "")
            bodies.add(got.body)
        assert len(bodies) == 1
    name = catalogue.product_rows()[6][2]
    assert f"<h1>{name}</h1>".encode() in Asked(plan, "GET", "/product/7").body


def test_what_is_not_there_is_not_found_and_what_is_wrong_is_said(site: Site, shop: ShopProcesses) -> None:
    plan = site[0]
    for path in ("/product/0", "/product/2001", "/product/x", "/media/no.png", "/nothing", "/cart/a%20b"):
        assert Asked(plan, "GET", path).status == 404, path
    assert Asked(plan, "GET", "/search").status == 400
    assert Asked(plan, "GET", "/search?q=%25").body.count(b"<li>") == 0, (
        "a wildcard is a character like others"
    )
    for form in (
        {"session": "s"},
        {"session": "s", "product": 1, "quantity": 0},
        {"product": 1, "quantity": 1},
    ):
        assert Asked(plan, "POST", "/cart", **form).status == 400, form
    assert Asked(plan, "POST", "/cart", session="s", product=2001, quantity=1).status == 404
    assert Asked(plan, "POST", "/checkout", session="s").status == 400
    assert Asked(plan, "POST", "/checkout", session="empty", token="t-empty").status == 409
    assert Asked(plan, "PUT", "/cart").status == 405


def test_pictures_come_whole_from_the_bucket(site: Site, shop: ShopProcesses) -> None:
    plan = site[0]
    pictures = list(catalogue.pictures())
    for picture in (pictures[0], pictures[-1]):
        got = Asked(plan, "GET", f"/media/{picture.key}")
        assert hashlib.sha256(got.body).hexdigest() == picture.sha256
        assert got.headers["Content-Type"] == "image/png"


def test_a_checkout_is_one_order_however_often_it_is_sent(site: Site, shop: ShopProcesses) -> None:
    plan = site[0]
    fill(plan, "once")
    fill(plan, "once")
    first = Asked(plan, "POST", "/checkout", session="once", token="once-t")
    again = Asked(plan, "POST", "/checkout", session="once", token="once-t")
    fill(plan, "once")
    with_new_cart = Asked(plan, "POST", "/checkout", session="once", token="once-t")
    assert (first.status, again.status, with_new_cart.status) == (201, 200, 200)
    assert first.body == again.body == with_new_cart.body
    order = json.loads(first.body)
    assert order["token"] == "once-t"
    stored = rows(plan, "SELECT * FROM orders WHERE token = 'once-t'")
    price = catalogue.product_rows()[3][5]
    assert isinstance(price, int)
    assert [(row["id"], row["total_ore"], row["site"]) for row in stored] == [
        (order["order"], 2 * price, "aws")
    ]
    lines = rows(plan, "SELECT product_id, quantity FROM order_lines WHERE order_id = %s", order["order"])
    assert lines == [{"product_id": 4, "quantity": 2}]


def test_many_at_once_with_one_token_place_one_order(site: Site, shop: ShopProcesses) -> None:
    plan = site[0]
    fill(plan, "rush")
    got: list[Asked] = []

    def one(number: int) -> None:
        node = plan.aws_nodes[number % 3]
        to = f"{node.address}:{plan.node_port}"
        got.append(Asked(plan, "POST", "/checkout", to=to, session="rush", token="rush-t"))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked.status for asked in got) == [200] * 11 + [201]
    assert len({asked.body for asked in got}) == 1
    assert len(rows(plan, "SELECT id FROM orders WHERE token = 'rush-t'")) == 1


def test_a_write_waits_through_a_primary_switch(site: Site, shop: ShopProcesses) -> None:
    """As the changeover does it: read_only on, the shop's connections ended, and writable 1.2 s later."""
    plan = site[0]
    fill(plan, "switch")
    done: list[Asked] = []
    rows(plan, "SET GLOBAL read_only = 1")
    try:
        for row in rows(plan, "SELECT id FROM information_schema.processlist WHERE user = %s", APP_USER):
            rows(plan, "KILL CONNECTION %s", row["id"])
        started = time.monotonic()
        thread = threading.Thread(
            target=lambda: done.append(Asked(plan, "POST", "/checkout", session="switch", token="switch-t"))
        )
        thread.start()
        time.sleep(1.2)
        assert not done, "nothing may be answered while nothing can be written"
        assert Asked(plan, "GET", "/product/9").status == 200, "pages are read all the while"
    finally:
        rows(plan, "SET GLOBAL read_only = 0")
    thread.join()
    assert 1.2 <= time.monotonic() - started < 5
    assert done[0].status == 201
    assert len(rows(plan, "SELECT id FROM orders WHERE token = 'switch-t'")) == 1


def test_a_primary_that_stays_read_only_is_an_honest_503(site: Site, shop: ShopProcesses) -> None:
    plan = site[0]
    fill(plan, "stuck")
    rows(plan, "SET GLOBAL read_only = 1")
    try:
        started = time.monotonic()
        refused = Asked(plan, "POST", "/checkout", session="stuck", token="stuck-t")
        assert refused.status == 503
        assert 4.5 < time.monotonic() - started < 7
    finally:
        rows(plan, "SET GLOBAL read_only = 0")
    assert rows(plan, "SELECT id FROM orders WHERE token = 'stuck-t'") == []
    assert Asked(plan, "POST", "/checkout", session="stuck", token="stuck-t").status == 201


def test_it_ends_without_dropping_a_request(site: Site, shop: ShopProcesses) -> None:
    plan, state, _ = site
    listen = f"127.40.0.9:{free_port()}"
    pid = shop.start("shop-ending", listen, DELAY_MS="700")
    assert Asked(plan, "GET", "/readyz", to=listen).status == 200
    answers: list[Asked] = []
    thread = threading.Thread(target=lambda: answers.append(Asked(plan, "GET", "/", to=listen)))
    os.kill(pid, signal.SIGTERM)
    time.sleep(0.5)  # still before the listener closes: the 700 ms of this one reach past it
    assert Asked(plan, "GET", "/readyz", to=listen).status == 503
    assert Asked(plan, "GET", "/healthz", to=listen).status == 200
    thread.start()
    thread.join()
    assert answers[0].status == 200
    end = time.monotonic() + 5
    while state.process("shop-ending").alive() and time.monotonic() < end:
        time.sleep(0.05)
    assert not state.process("shop-ending").alive()
    with pytest.raises(ConnectionRefusedError):
        Asked(plan, "GET", "/", to=listen)


def test_the_database_takes_the_shop_only_over_tls(site: Site) -> None:
    plan = site[0]
    password = (plan.secrets / "shop-database.password").read_text().strip()
    with pytest.raises(pymysql.err.OperationalError, match="1045"):
        pymysql.connect(
            host=plan.rds_private, port=plan.mariadb_port, user=APP_USER, password=password, ssl_disabled=True
        )
    with pymysql.connect(
        host=plan.rds_public, port=plan.mariadb_port, user=APP_USER, password=password,
        database=plan.database, ssl_ca=str(plan.ca_file), ssl_verify_identity=True,
    ) as connection, connection.cursor() as cursor:  # fmt: skip
        cursor.execute("SELECT @@gtid_binlog_pos, @@binlog_format, @@server_id")
        position, binlog_format, server_id = cursor.fetchone() or ("", "", 0)
        assert str(position).startswith("1-1-")
        assert (binlog_format, server_id) == ("ROW", 1)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"DB_READ": "$(DB_READ_SERVICE_HOST):$(DB_READ_SERVICE_PORT)"}, "is the Service there"),
        ({"DB_PASSWORD_FILE": "/nowhere"}, "DB_PASSWORD_FILE"),
        ({"SITE": ""}, "SITE is not set"),
        ({"DELAY_MS": "soon"}, "DELAY_MS"),
    ],
)
def test_wrong_settings_are_named(
    site: Site, shop: ShopProcesses, change: dict[str, str], complaint: str
) -> None:
    import subprocess

    done = subprocess.run(
        [str(shop.program)], env={**shop.environment(), **change}, capture_output=True, text=True, timeout=10
    )
    assert done.returncode == 2
    assert complaint in done.stderr
