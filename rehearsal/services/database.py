"""MariaDB as it plays RDS: its own data directory, GTID and row binlog (server-id 1), TLS for every account.

An empty data directory takes seconds to make, so one is kept in the cache of the parts and copied.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pymysql
from pymysql.connections import Connection

from rehearsal.plan import Plan
from rehearsal.services import catalogue
from rehearsal.services.certificates import pair
from rehearsal.services.files import read_secret
from rehearsal.state import State
from tasks.drivers.errors import ServiceFailed

NAME = "mariadb"
EMPTY_CACHE = Path("~/.cache/safe-harbor/mariadb-empty")
ADMIN_USER = "safe_harbor"
REPLICATION_USER = "replica"
APP_USER = "shop"

SCHEMA = (
    """CREATE TABLE products (id BIGINT PRIMARY KEY, sku VARCHAR(16) NOT NULL UNIQUE,
       name VARCHAR(120) NOT NULL, category VARCHAR(40) NOT NULL,
       description TEXT NOT NULL, price_ore INT NOT NULL, stock INT NOT NULL,
       media_key VARCHAR(80) NOT NULL, featured TINYINT NOT NULL, KEY (featured, id))""",
    """CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR(80) NOT NULL,
       email VARCHAR(120) NOT NULL UNIQUE)""",
    """CREATE TABLE carts (session VARCHAR(64) NOT NULL, product_id BIGINT NOT NULL, quantity INT NOT NULL,
       touched_at DATETIME(3) NOT NULL DEFAULT NOW(3), PRIMARY KEY (session, product_id))""",
    """CREATE TABLE orders (id BIGINT PRIMARY KEY AUTO_INCREMENT, token VARCHAR(64) NOT NULL UNIQUE,
       session VARCHAR(64) NOT NULL, customer_id BIGINT NULL, total_ore BIGINT NOT NULL,
       site VARCHAR(8) NOT NULL, placed_at DATETIME(3) NOT NULL DEFAULT NOW(3), KEY (placed_at))""",
    """CREATE TABLE order_lines (order_id BIGINT NOT NULL, product_id BIGINT NOT NULL, quantity INT NOT NULL,
       price_ore INT NOT NULL, PRIMARY KEY (order_id, product_id),
       FOREIGN KEY (order_id) REFERENCES orders (id))""",
)


def socket_path(plan: Plan) -> Path:
    """The server's socket; root logs in over it without a password."""
    return plan.state / "mariadb" / "server.sock"


def start_database(plan: Plan, state: State) -> None:
    """Start the server and, where its data directory is new, seed it. Raises OutsideError."""
    folder = plan.state / "mariadb"
    data = folder / "data"
    fresh = not data.exists()
    if fresh:
        folder.mkdir(parents=True, exist_ok=True)
        _copy_empty(data)
    for name in ("crt", "key"):  # readable by the server's account alone
        copy = folder / f"server.{name}"
        shutil.copyfile(plan.pki / f"database.{name}", copy)
        copy.chmod(0o600)
    shutil.copyfile(plan.ca_file, folder / "ca.crt")
    (folder / "scratch").mkdir(exist_ok=True)
    config = folder / "my.cnf"
    config.write_text(_config(plan, folder))
    subprocess.run(["chown", "-R", "mysql:mysql", str(folder)], check=True)
    # The account must pass through the state folder, which only root may list.
    plan.state.chmod(0o711)
    running = state.run_process(
        NAME, ["mariadbd", f"--defaults-file={config}", "--user=mysql"], netns=plan.service_netns
    )
    state.wait_until(running, lambda: _answers(plan), what="answering", within_s=30)
    if fresh:
        seed(plan)


def seed(plan: Plan) -> None:
    """Create the accounts, the tables and the rows of the catalogue, in one go."""
    with connect_locally(plan) as connection, connection.cursor() as cursor:
        for statement, parameters in _accounts(plan):
            cursor.execute(statement, parameters)
        cursor.execute(f"USE `{plan.database}`")
        for statement in SCHEMA:
            cursor.execute(statement)
        orders, lines = catalogue.order_rows()
        for table, columns, rows in (
            ("products", "id,sku,name,category,description,price_ore,stock,media_key,featured",
             catalogue.product_rows()),
            ("customers", "id,name,email", catalogue.customer_rows()),
            ("carts", "session,product_id,quantity", catalogue.cart_rows()),
            ("orders", "id,token,session,customer_id,total_ore,site,placed_at", orders),
            ("order_lines", "order_id,product_id,quantity,price_ore", lines),
        ):  # fmt: skip
            values = ",".join(["%s"] * len(columns.split(",")))
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({values})", rows)  # noqa: S608 - constants
        connection.commit()


def connect_locally(plan: Plan, database: str = "") -> Connection:
    """A root connection over the server's socket. Raises ServiceFailed."""
    try:
        return pymysql.connect(
            unix_socket=str(socket_path(plan)), user="root", database=database or None, connect_timeout=5
        )
    except pymysql.MySQLError as error:
        raise ServiceFailed(NAME, f"no connection over {socket_path(plan)}: {error}") from error


def _answers(plan: Plan) -> bool:
    try:
        connect_locally(plan).close()
    except ServiceFailed:
        return False
    return True


def _accounts(plan: Plan) -> list[tuple[str, Sequence[str]]]:
    """The statements that make the database and its accounts, each with TLS required."""
    made: list[tuple[str, Sequence[str]]] = [(f"CREATE DATABASE `{plan.database}`", ())]
    for user, secret, rights in (
        (ADMIN_USER, "rds-admin.password", "ALL PRIVILEGES ON *.*"),
        (REPLICATION_USER, "rds-replica.password", "REPLICATION SLAVE ON *.*"),
        (APP_USER, "shop-database.password", f"SELECT, INSERT, UPDATE, DELETE ON `{plan.database}`.*"),
    ):
        password = read_secret(plan, secret)
        made.append(("CREATE USER %s@'%%' IDENTIFIED BY %s REQUIRE SSL", (user, password)))
        option = " WITH GRANT OPTION" if user == ADMIN_USER else ""
        made.append((f"GRANT {rights} TO %s@'%%'{option}", (user,)))
    return made


def _copy_empty(data: Path) -> None:
    cache = EMPTY_CACHE.expanduser()
    if not (cache / "mysql").is_dir():
        making = cache.with_name(f"{cache.name}.new")
        shutil.rmtree(making, ignore_errors=True)
        making.parent.mkdir(parents=True, exist_ok=True)
        argv = ["mariadb-install-db", "--no-defaults", f"--datadir={making}", "--user=root",
                "--auth-root-authentication-method=socket", "--skip-test-db"]  # fmt: skip
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceFailed("mariadb-install-db", done.stderr.strip() or done.stdout.strip()[-500:])
        shutil.rmtree(cache, ignore_errors=True)
        making.replace(cache)
    shutil.copytree(cache, data)


def _config(plan: Plan, folder: Path) -> str:
    certificate = pair(plan, "database")
    return f"""# Written by the rehearsal: MariaDB as it plays RDS (certificate {certificate.certificate}).
[mariadbd]
datadir = {folder}/data
# A starting server removes every #sql file of its tmpdir, those of other servers in /tmp too.
tmpdir = {folder}/scratch
socket = {folder}/server.sock
pid-file = {folder}/server.pid
bind-address = {plan.rds_private}
port = {plan.mariadb_port}
server-id = 1
gtid-domain-id = 1
gtid-strict-mode = 1
log-bin = {folder}/data/binlog
binlog-format = ROW
log-slave-updates = 1
# A commit survives the server's death, not the machine's, which ends the rehearsal anyway: no fsync each.
sync-binlog = 0
innodb-flush-log-at-trx-commit = 2
innodb-buffer-pool-size = 192M
innodb-log-file-size = 64M
performance-schema = 0
skip-name-resolve = 1
max-connections = 400
character-set-server = utf8mb4
collation-server = utf8mb4_general_ci
ssl-ca = {folder}/ca.crt
ssl-cert = {folder}/server.crt
ssl-key = {folder}/server.key
tls-version = TLSv1.2,TLSv1.3
"""
