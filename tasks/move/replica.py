"""A MariaDB server that follows another by GTID over TLS: what it follows, how far it is, how it is set up.

Statements: mariadb.com/kb, "Setting up replication" and "Gtid" (10.11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inventory.models.secret import Secret
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Sql


@dataclass(frozen=True)
class Origin:
    """The server to follow, as the follower reaches it, and the account that may replicate."""

    host: str
    port: int
    user: str
    password: Secret


@dataclass(frozen=True)
class Following:
    """What a server follows and how far it is. `lag_s` is None where the server cannot tell."""

    host: str
    port: int
    started: bool  # both threads run, though the first may be connecting still
    receives: bool
    applies: bool
    lag_s: int | None
    position: str
    trouble: str

    @property
    def healthy(self) -> bool:
        """Whether it receives and applies."""
        return self.receives and self.applies and not self.trouble


def following(sql: Sql) -> Following | None:
    """What the server follows; None where it follows nothing."""
    status = sql.rows("SHOW SLAVE STATUS")
    if not status:
        return None
    row = status[0]
    lag = row["Seconds_Behind_Master"]
    return Following(
        host=str(row["Master_Host"]),
        port=int(row["Master_Port"]),
        started="No" not in (row["Slave_IO_Running"], row["Slave_SQL_Running"]),
        receives=row["Slave_IO_Running"] == "Yes",
        applies=row["Slave_SQL_Running"] == "Yes",
        lag_s=None if lag is None else int(lag),
        position=str(variable(sql, "gtid_slave_pos")),
        trouble=" ".join(str(row[key]) for key in ("Last_IO_Error", "Last_SQL_Error") if row[key]),
    )


def variable(sql: Sql, name: str) -> Any:
    """A global variable of the server. Raises ValueError for a name that cannot be one."""
    if not name.replace("_", "").isalnum():
        raise ValueError(f"{name!r} is not a variable")
    return sql.rows(f"SELECT @@GLOBAL.{name} AS value")[0]["value"]


def position(sql: Sql) -> str:
    """The last transaction that the server has, written here or followed, as a GTID list."""
    return str(variable(sql, "gtid_current_pos") or "")


def follows(sql: Sql, origin: Origin) -> bool:
    """Whether the server follows `origin` and is started. Raises ServiceFailed where an error stopped it."""
    found = following(sql)
    if not found or (found.host, found.port) != (origin.host, origin.port):
        return False
    if found.trouble and not found.applies:
        raise ServiceFailed(
            sql.name, f"replication has stopped: {found.trouble}",
            "find what differs; `STOP SLAVE; RESET SLAVE ALL` and run `move` again to copy anew",
        )  # fmt: skip
    return found.started


def follow(sql: Sql, origin: Origin, *, from_position: str | None = None) -> bool:
    """Make the server follow `origin`, and start it; whether anything had to change.

    `from_position` sets where to begin (a former primary begins at its own last position); None leaves what
    the copy has set. The certificate of the origin is verified against the server's own `ssl_ca` file.
    Raises ServiceFailed where replication stopped with an error.
    """
    if follows(sql, origin):
        return False
    found = following(sql)
    if found and (found.host, found.port) == (origin.host, origin.port):
        sql.execute("START SLAVE")
        return True
    ca_file = variable(sql, "ssl_ca")
    if not ca_file:
        raise ServiceFailed(
            sql.name, "has no ssl_ca, so it cannot verify who it follows", "set ssl_ca in its configuration"
        )
    if found:
        sql.execute("STOP SLAVE")
        sql.execute("RESET SLAVE ALL")
    if from_position is not None:
        sql.execute("SET GLOBAL gtid_slave_pos = %s", (from_position,))
    sql.execute(
        "CHANGE MASTER TO MASTER_HOST=%s, MASTER_PORT=%s, MASTER_USER=%s, MASTER_PASSWORD=%s, MASTER_SSL=1,"
        " MASTER_SSL_CA=%s, MASTER_SSL_VERIFY_SERVER_CERT=1, MASTER_CONNECT_RETRY=1,"
        " MASTER_HEARTBEAT_PERIOD=2, MASTER_USE_GTID=slave_pos",
        (origin.host, origin.port, origin.user, origin.password.reveal(), str(ca_file)),
    )
    sql.execute("START SLAVE")
    return True


def unfollow(sql: Sql) -> bool:
    """Stop following and forget the origin; whether it followed anything."""
    if following(sql) is None:
        return False
    sql.execute("STOP SLAVE")
    sql.execute("RESET SLAVE ALL")
    return True


def reaches(sql: Sql, wanted: str, within_s: float) -> bool:
    """Wait until the follower has applied this position; whether it did in time."""
    if not wanted:
        return True
    answer = sql.rows("SELECT MASTER_GTID_WAIT(%s, %s) AS waited", (wanted, within_s))[0]["waited"]
    return answer is not None and int(answer) == 0


def contains(position: str, wanted: str) -> bool:
    """Whether a server at `position` has everything up to `wanted`: the same or a later number a domain.

    True of servers of which only one takes writes at a time, as here; each GTID is domain-server-number.
    """
    here = {domain: number for domain, _, number in (gtid.split("-") for gtid in position.split(",") if gtid)}
    return all(
        int(here.get(domain, "0")) >= int(number)
        for domain, _, number in (gtid.split("-") for gtid in wanted.split(",") if gtid)
    )


def read_only(sql: Sql) -> bool:
    """Whether the server refuses writes of ordinary accounts."""
    return bool(int(variable(sql, "read_only")))


def set_read_only(sql: Sql, wanted: bool) -> bool:
    """Refuse or take writes of ordinary accounts; whether that had to change."""
    if read_only(sql) == wanted:
        return False
    sql.execute("SET GLOBAL read_only = ON" if wanted else "SET GLOBAL read_only = OFF")
    return True
