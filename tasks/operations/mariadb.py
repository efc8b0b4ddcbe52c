"""MariaDB on a data node: configuration, TLS, data directory, unit, and the accounts that must be there.

The package is Debian's (10.11). Every account needs TLS; accounts are made outside of the binary log, so that
a replica's position stays the source's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inventory.models.change import Change, Run
from inventory.models.command import Script
from inventory.models.secret import Secret
from tasks.facts.asked import Asked, fields
from tasks.facts.gather import Facts
from tasks.operations.files import Wanted
from tasks.operations.units import Service

UNIT = "mariadb.service"
CONFIG = "/etc/mysql/safe-harbor.cnf"
FOLDER = "/etc/mysql/safe-harbor"
CA_FILE = f"{FOLDER}/ca.crt"
SOCKET = "/run/mysqld/mysqld.sock"

_UNIT = f"""[Unit]
Description=MariaDB (safe-harbor)
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
User=mysql
Group=mysql
RuntimeDirectory=mysqld
StateDirectory=mysql
LoadCredential=server.key:{FOLDER}/server.key
ExecStartPre=/bin/sh -c 'test -d /var/lib/mysql/mysql || exec mariadb-install-db --no-defaults --user=mysql \
--datadir=/var/lib/mysql --skip-test-db --auth-root-authentication-method=socket --auth-root-socket-user=root'
ExecStart=/usr/sbin/mariadbd --defaults-file={CONFIG} --ssl-key=%d/server.key
Restart=on-failure
RestartSec=2
TimeoutStartSec=300
TimeoutStopSec=300
LimitNOFILE=16384
PrivateTmp=yes
ProtectHome=yes

[Install]
WantedBy=multi-user.target
"""

_CONFIG = """# Written by safe-harbor; the next `prepare` overwrites changes by hand.
[mariadbd]
datadir = /var/lib/mysql
socket = {socket}
pid-file = /run/mysqld/mysqld.pid
bind-address = {bind}
port = {port}
server-id = {server_id}
gtid-domain-id = {domain_id}
gtid-strict-mode = 1
log-bin = /var/lib/mysql/binlog
binlog-format = ROW
log-slave-updates = 1
expire-logs-days = 7
sync-binlog = 1
innodb-flush-log-at-trx-commit = 1
innodb-buffer-pool-size = {buffer_pool_mb}M
innodb-log-file-size = {log_file_mb}M
# Only the database that moves is followed: what an operator does to other schemas of the source stays there.
replicate-wild-do-table = {database}.%
slave-net-timeout = 10
skip-name-resolve = 1
max-connections = {max_connections}
character-set-server = utf8mb4
collation-server = utf8mb4_general_ci
ssl-ca = {ca}
ssl-cert = {folder}/server.crt
tls-version = TLSv1.2,TLSv1.3
"""


@dataclass(frozen=True)
class Account:
    """An account that logs in from anywhere, over TLS only. `grants` are what GRANT takes before TO."""

    user: str
    password: Secret
    grants: tuple[str, ...]
    with_grant_option: bool = False

    @property
    def authentication(self) -> str:
        """What mysql_native_password stores: `*` and SHA-1 of SHA-1 of the password, in upper-case hex."""
        inner = hashlib.sha1(self.password.reveal().encode()).digest()  # noqa: S324 - MariaDB's own format
        return "*" + hashlib.sha1(inner).hexdigest().upper()  # noqa: S324 - MariaDB's own format


@dataclass(frozen=True)
class MariaDbDesign:
    """A server. `ca` holds the CA of its own certificate and that of the server that it will follow."""

    bind: str
    port: int
    server_id: int
    domain_id: int
    database: str
    certificate: bytes
    key: bytes = field(repr=False)
    ca: bytes
    accounts: tuple[Account, ...]
    buffer_pool_mb: int = 256
    log_file_mb: int = 96
    max_connections: int = 500


def standard_accounts(
    database: str,
    admin: tuple[str, Secret],
    replication: tuple[str, Secret],
    app: tuple[str, Secret],
) -> tuple[Account, ...]:
    """The three accounts of a site: administration, replication, the shop."""
    name = "`" + database.replace("`", "``") + "`"
    return (
        Account(*admin, ("ALL PRIVILEGES ON *.*",), with_grant_option=True),
        Account(*replication, ("REPLICATION SLAVE, BINLOG MONITOR ON *.*",)),
        Account(*app, (f"SELECT, INSERT, UPDATE, DELETE ON {name}.*",)),
    )


def service(design: MariaDbDesign) -> Service:
    """The unit and its files. The key stays root's; the server gets it as a credential of its unit."""
    config = _CONFIG.format(
        socket=SOCKET,
        bind=design.bind,
        port=design.port,
        server_id=design.server_id,
        domain_id=design.domain_id,
        database=design.database,
        ca=CA_FILE,
        folder=FOLDER,
        buffer_pool_mb=design.buffer_pool_mb,
        log_file_mb=design.log_file_mb,
        max_connections=design.max_connections,
    )
    return Service(
        UNIT,
        _UNIT,
        (
            Wanted(CONFIG, config.encode()),
            Wanted(CA_FILE, design.ca),
            Wanted(f"{FOLDER}/server.crt", design.certificate),
            Wanted(f"{FOLDER}/server.key", design.key, 0o600),
        ),
    )


@dataclass(frozen=True)
class AccountFact:
    """An account as the server has it."""

    user: str
    tls: str  # ANY where TLS is required
    authentication: str


# A server that is not there has no accounts; one that is up and refuses to answer is an error.
_ASK = """
[ -S "$1" ] || exit 0
printf '%s' "SELECT User, ssl_type, authentication_string FROM mysql.user WHERE Host = '%'" \\
  | mariadb --no-defaults --socket="$1" --batch --skip-column-names
"""


def _parse_accounts(output: str) -> Mapping[str, AccountFact]:
    found = {}
    for line in output.splitlines():
        user, tls, authentication = fields(line, 3)
        found[user] = AccountFact(user, tls, authentication)
    return found


def ask_accounts() -> Asked[Mapping[str, AccountFact]]:
    """The question: which accounts log in from anywhere, and how."""
    return Asked("MariaDB's accounts", Script.of(_ASK, SOCKET), _parse_accounts)


def plan_accounts(host: str, facts: Facts, accounts: Sequence[Account]) -> list[Change]:
    """A change for every account that is missing, has another password, or needs no TLS."""
    there = facts.of(ask_accounts())
    changes = []
    for account in accounts:
        found = there.get(account.user)
        if found and found.tls == "ANY" and found.authentication == account.authentication:
            continue
        before = "" if not found else "TLS required" if found.tls == "ANY" else "no TLS required"
        if found and found.authentication != account.authentication:
            before += ", another password"
        changes.append(
            Change(
                host,
                f"MariaDB account {account.user}",
                "the move and the shop log in with it",
                before,
                "TLS required, the declared password",
                (Run(_load(), stdin=_statements(account).encode()),),
                () if found else (Run(_load(), stdin=_drop(account).encode()),),
            )
        )
    return changes


def _load() -> Script:
    return Script.of('exec mariadb --no-defaults --socket="$1" --batch', SOCKET)


def _statements(account: Account) -> str:
    user = f"{_text(account.user)}@'%'"
    option = " WITH GRANT OPTION" if account.with_grant_option else ""
    lines = [
        "SET SESSION sql_log_bin = 0;",
        f"CREATE USER IF NOT EXISTS {user};",
        f"ALTER USER {user} IDENTIFIED BY {_text(account.password.reveal())} REQUIRE SSL;",
        *(f"GRANT {grant} TO {user}{option};" for grant in account.grants),
    ]
    return "\n".join(lines) + "\n"


def _drop(account: Account) -> str:
    return f"SET SESSION sql_log_bin = 0;\nDROP USER IF EXISTS {_text(account.user)}@'%';\n"


def _text(value: str) -> str:
    """A string literal. Raises ValueError for a line break or NUL, which no account needs."""
    if any(char in value for char in "\n\r\0"):
        raise ValueError("a value for MariaDB has a line break")
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
