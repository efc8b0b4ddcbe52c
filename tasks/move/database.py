"""Moves a database: a first copy that knows its GTID position, then a replica that follows the source.

The copy runs on the target's data node (dump there from the source over TLS, load there), so customers' data
never passes the lead's machine. A second run changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inventory.models.command import Script
from inventory.models.secret import Secret
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Clock, Host, Sql
from tasks.move import replica
from tasks.move.compare import tables
from tasks.move.replica import Origin

# $1 database. stdin: one option file with the groups of both programs. `failed` carries the dump's failure
# over the pipe; without the last line of the dump the copy is not complete either.
_COPY = """
set -eu
umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/options"
{ mariadb-dump --defaults-file="$folder/options" --single-transaction --gtid --master-data=1 --routines \\
    --triggers --events --quick --hex-blob --skip-comments --dump-date=FALSE --databases "$1" \\
    || echo "mariadb-dump ended with $?" > "$folder/failed"; } \\
  | sed -e '/^CHANGE MASTER TO/d' \\
  | mariadb --defaults-file="$folder/options" --init-command='SET SESSION sql_log_bin=0'
if [ -e "$folder/failed" ]; then cat "$folder/failed" >&2; exit 70; fi
"""

COPY_TIMEOUT_S = 6 * 3600.0


@dataclass(frozen=True)
class Login:
    """How a program on the data node logs in. `ca_file` is a path on that node."""

    host: str
    port: int
    user: str
    password: Secret
    ca_file: str


@dataclass(frozen=True)
class Moving:
    """Both servers and the ways between them.

    `origin` is the source as the target follows it; `dump` and `load` are the logins of the first copy, both
    as seen from the data node.
    """

    source: Sql
    target: Sql
    database: str
    node: Host
    origin: Origin
    dump: Login
    load: Login


@dataclass(frozen=True)
class Moved:
    """What had to be done. `changes` is 0 where the target followed already."""

    copied: bool
    changes: int
    seconds_to_copy: float
    lag_s: int
    position: str


def plan_database(source: Sql, target: Sql | None, database: str, origin: Origin) -> tuple[str, ...]:
    """What `move_database` would change at the target, a line each; empty where it follows already.

    Reads only. `target` None: its server is yet to be raised. Raises ServiceFailed where the move would
    refuse to begin.
    """
    changes = []
    if target is None or replica.following(target) is None:
        _refuse_to_overwrite(source, target)
        changes.append(f"copy the database {database} from {source.name}")
    if target is None or not replica.read_only(target):
        changes.append("let the target's database take no writes")
    if target is None or not replica.follows(target, origin):
        changes.append(f"let the target's database follow {origin.host}:{origin.port}")
    return tuple(changes)


def move_database(
    moving: Moving,
    clock: Clock,
    *,
    catch_up_within_s: float = 600.0,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Moved:
    """Copy where the target has nothing yet, follow, and wait until it has caught up.

    Raises ServiceFailed where the target has writes of its own (it would lose them) or does not catch up,
    CommandFailed where the copy fails.
    """
    changes, seconds = 0, 0.0
    copied = False
    if replica.following(moving.target) is None:
        _refuse_to_overwrite(moving.source, moving.target)
        on_progress(f"copying {moving.database}")
        seconds = _copy(moving, clock)
        copied, changes = True, 1
    changes += replica.set_read_only(moving.target, True)
    changes += replica.follow(moving.target, moving.origin)
    lag_s = _catch_up(moving, clock, catch_up_within_s, on_progress)
    return Moved(copied, changes, seconds, lag_s, replica.position(moving.target))


def _refuse_to_overwrite(source: Sql, target: Sql | None) -> None:
    other = replica.following(source)
    if other is not None:
        raise ServiceFailed(
            source.name,
            f"follows {other.host}:{other.port}: the database has changed over already",
            "nothing is left to copy; `rollback` takes it back",
        )
    if target is None:
        return
    own = int(replica.variable(target, "server_id"))
    if own == int(replica.variable(source, "server_id")):
        raise ServiceFailed(
            target.name, f"has the source's server_id {own}", "give each server its own server_id"
        )
    written = str(replica.variable(target, "gtid_binlog_pos") or "")
    if any(int(gtid.split("-")[1]) == own for gtid in written.split(",") if gtid):
        raise ServiceFailed(
            target.name,
            f"has writes of its own ({written}); a copy would overwrite them",
            "empty the target (drop the database, RESET MASTER) if they are of no use",
        )


def _copy(moving: Moving, clock: Clock) -> float:
    begun = clock.now()
    # The dump sets gtid_slave_pos; an interrupted copy may have left one.
    moving.target.execute("SET GLOBAL gtid_slave_pos = ''")
    moving.node.check(
        Script.of(_COPY, moving.database),
        stdin=option_file(moving.dump, moving.load).encode(),
        timeout_s=COPY_TIMEOUT_S,
    )
    if not replica.variable(moving.target, "gtid_slave_pos"):
        raise ServiceFailed(moving.target.name, "the copy has no GTID position: it is not complete")
    missing = set(tables(moving.source, moving.database)) - set(tables(moving.target, moving.database))
    if missing:
        raise ServiceFailed(moving.target.name, f"the copy lacks tables: {', '.join(sorted(missing))}")
    return (clock.now() - begun).total_seconds()


def _catch_up(moving: Moving, clock: Clock, within_s: float, on_progress: Callable[[str], None]) -> int:
    """Wait until the target has what the source had when asked; the lag in seconds that is left."""
    wanted = replica.position(moving.source)
    deadline = clock.now().timestamp() + within_s
    while not replica.reaches(moving.target, wanted, 1.0):
        state = replica.following(moving.target)
        if state is None:
            raise ServiceFailed(moving.target.name, "does not follow the source any more")
        if state.trouble and not (state.applies and state.receives):
            raise ServiceFailed(moving.target.name, f"replication has stopped: {state.trouble}")
        if clock.now().timestamp() > deadline:
            raise ServiceFailed(
                moving.target.name,
                f"is at {state.position} and has not reached {wanted} after {within_s:.0f} s",
                "see SHOW SLAVE STATUS; run `move` again to wait on",
            )
        on_progress(f"at {state.position} of {wanted}, {state.lag_s} s behind")
    state = replica.following(moving.target)
    return state.lag_s or 0 if state else 0


def option_file(dump: Login, load: Login) -> str:
    """Options of mariadb-dump (the source) and mariadb (the target); it holds passwords: 0600, never argv."""
    groups = []
    for group, login in (("mariadb-dump", dump), ("mariadb-client", load)):
        groups.append(
            f"[{group}]\nhost={_option(login.host)}\nport={login.port}\nuser={_option(login.user)}\n"
            f"password={_option(login.password.reveal())}\nssl-ca={_option(login.ca_file)}\n"
            "ssl-verify-server-cert\nprotocol=tcp\n"
        )
    return "".join(groups)


def _option(value: str) -> str:
    """A value of an option file, quoted. Raises ValueError for a line break, which no quoting keeps."""
    if "\n" in value or "\r" in value:
        raise ValueError("a value of an option file has a line break")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
