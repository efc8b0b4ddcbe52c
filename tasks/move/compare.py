"""Compares every table of a database with its replica at one GTID position, while the source is written to.

The replica is stopped; the source is read in one consistent snapshot, whose GTID position is known; the
replica goes on to exactly that position and is read there; then it goes on. So both sides are read at the
same transaction, however long either takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Clock, Sql
from tasks.move import replica

LARGE_ROWS = 10_000_000


@dataclass(frozen=True)
class TableState:
    """One table: its rows, the digest of their contents, and its definition."""

    rows: int
    digest: str
    definition: str


@dataclass(frozen=True)
class Compared:
    """Both sides at `position`; `differences` names each table that differs, and how."""

    position: str
    source: Mapping[str, TableState]
    target: Mapping[str, TableState]

    @property
    def differences(self) -> tuple[str, ...]:
        """One sentence a difference; empty where the sides are the same."""
        found = []
        for name in sorted(set(self.source) | set(self.target)):
            mine, other = self.source.get(name), self.target.get(name)
            if mine is None or other is None:
                where = "source" if other is None else "target"
                found.append(f"table {name}: only at the {where}")
            elif mine.rows != other.rows:
                found.append(f"table {name}: {mine.rows} rows at the source, {other.rows} at the target")
            elif mine.digest != other.digest:
                found.append(f"table {name}: {mine.rows} rows each, but their contents differ")
            elif mine.definition != other.definition:
                found.append(f"table {name}: the definitions differ")
        return tuple(found)

    @property
    def rows(self) -> int:
        """Rows at the source, over all tables."""
        return sum(state.rows for state in self.source.values())


def quoted(name: str) -> str:
    """An identifier for MariaDB."""
    return "`" + name.replace("`", "``") + "`"


def tables(sql: Sql, database: str) -> list[str]:
    """The names of the database's tables, in order."""
    rows = sql.rows(
        "SELECT TABLE_NAME AS name FROM information_schema.TABLES"
        " WHERE TABLE_SCHEMA = %s AND TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME",
        (database,),
    )
    return [str(row["name"]) for row in rows]


def table_state(sql: Sql, database: str, table: str) -> TableState:
    """Read one table whole. The digest adds up two 60-bit parts of each row's MD5: it does not depend on the
    order of the rows, and a doubled row changes it."""
    columns = sql.rows(
        "SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS"
        " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
        (database, table),
    )
    parts = ", ".join(f"COALESCE(HEX(CAST({quoted(row['name'])} AS BINARY)), '-')" for row in columns)
    digest = f"MD5(CONCAT_WS('|', {parts}))"
    sums = ", ".join(
        f"COALESCE(SUM(CAST(CONV(SUBSTR(digest, {start}, 15), 16, 10) AS DECIMAL(30))), 0) AS part{start}"
        for start in (1, 16)
    )
    name = f"{quoted(database)}.{quoted(table)}"
    row = sql.rows(f"SELECT COUNT(*) AS n, {sums} FROM (SELECT {digest} AS digest FROM {name}) AS x")[0]  # noqa: S608 - quoted names only
    create = str(sql.rows(f"SHOW CREATE TABLE {name}")[0]["Create Table"])
    # The next AUTO_INCREMENT is a counter, not content.
    definition = " ".join(word for word in create.split() if not word.startswith("AUTO_INCREMENT="))
    return TableState(int(row["n"]), f"{int(row['part1']):x}-{int(row['part16']):x}", definition)


def compare(
    source: Sql,
    target: Sql,
    database: str,
    clock: Clock,
    *,
    within_s: float = 300.0,
    on_table: Callable[[str, int, int], None] = lambda *_: None,
) -> Compared:
    """Compare all tables; `target` must follow `source`, and follows it again afterwards.

    `on_table(table, done, of)` is called after each table of each side. Raises ServiceFailed where the
    replica does not reach the source's position within `within_s`.
    """
    target.execute("STOP SLAVE")
    try:
        source.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        source.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        try:
            at = _snapshot_position(source)
            names = tables(source, database)
            count = len(names) * 2
            states = {}
            for done, name in enumerate(names, 1):
                states[name] = table_state(source, database, name)
                on_table(name, done, count)
        finally:
            source.execute("ROLLBACK")
        _go_on_until(target, at, within_s, clock)
        theirs = {}
        for done, name in enumerate(tables(target, database), len(names) + 1):
            theirs[name] = table_state(target, database, name)
            on_table(name, done, max(count, done))
        return Compared(at, states, theirs)
    finally:
        target.execute("STOP SLAVE")
        target.execute("START SLAVE")


def _snapshot_position(source: Sql) -> str:
    """The GTID position of the open snapshot (what `mariadb-dump --gtid` uses as well)."""
    status = {
        str(row["Variable_name"]).lower(): str(row["Value"])
        for row in source.rows("SHOW STATUS LIKE 'binlog_snapshot_%'")
    }
    file, offset = status.get("binlog_snapshot_file", ""), status.get("binlog_snapshot_position", "")
    if not file or not offset:
        raise ServiceFailed(source.name, "has no binary log", "replication needs log_bin at the source")
    found = source.rows("SELECT BINLOG_GTID_POS(%s, %s) AS at", (file, int(offset)))[0]["at"]
    if found is None:
        raise ServiceFailed(source.name, f"does not know the GTID position of {file}:{offset}")
    return str(found)


def _go_on_until(target: Sql, at: str, within_s: float, clock: Clock) -> None:
    """Apply up to `at` and stop there. A replica that is already there stops at once."""
    target.execute("START SLAVE UNTIL master_gtid_pos = %s", (at,))
    deadline = clock.now().timestamp() + within_s
    while True:
        state = replica.following(target)
        if state is None:
            raise ServiceFailed(target.name, "does not follow the source any more")
        if not state.applies:
            break
        if clock.now().timestamp() > deadline:
            raise ServiceFailed(
                target.name, f"has not reached {at} after {within_s:.0f} s (it is at {state.position})",
                "give it time to catch up and compare again",
            )  # fmt: skip
        clock.sleep(0.05)
    if state.trouble:
        raise ServiceFailed(target.name, f"replication has stopped: {state.trouble}")
    if not _has(state.position, at):
        raise ServiceFailed(target.name, f"stopped at {state.position}, not at {at}")


def _has(position: str, wanted: str) -> bool:
    """Whether each domain of `wanted` stands at its GTID in `position`."""
    here = {gtid.split("-")[0]: gtid for gtid in position.split(",") if gtid}
    return all(here.get(gtid.split("-")[0]) == gtid for gtid in wanted.split(",") if gtid)


def quick_counts(sql: Sql, database: str) -> dict[str, int]:
    """Rows of each table, for a moment when nobody writes, in two statements; of a table estimated above ten
    million rows the highest number of its AUTO_INCREMENT column, because counting would take too long."""
    questions: list[str] = []
    names: list[str] = []
    for row in sql.rows(
        "SELECT t.TABLE_NAME AS name, COALESCE(t.TABLE_ROWS, 0) AS estimate, c.COLUMN_NAME AS counter"
        " FROM information_schema.TABLES t LEFT JOIN information_schema.COLUMNS c"
        " ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME AND c.EXTRA = 'auto_increment'"
        " WHERE t.TABLE_SCHEMA = %s AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY t.TABLE_NAME",
        (database,),
    ):
        name = str(row["name"])
        large = int(row["estimate"]) > LARGE_ROWS and row["counter"]
        what = f"COALESCE(MAX({quoted(str(row['counter']))}), 0)" if large else "COUNT(*)"
        questions.append(
            f"SELECT {len(names)} AS which, {what} AS n FROM {quoted(database)}.{quoted(name)}"  # noqa: S608 - quoted names only
        )
        names.append(name)
    if not questions:
        return {}
    return {names[int(row["which"])]: int(row["n"]) for row in sql.rows(" UNION ALL ".join(questions))}
