"""A MariaDB connection over verified TLS. Implements `ports.Sql`.

The server's certificate is verified against the declared CA and for the host's name or address; a server that
offers no TLS is refused. Lost idle connections are made anew between statements, never inside one.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymysql
import pymysql.cursors
from pymysql.constants import CR, ER

from inventory.models.secret import Secret
from tasks.drivers.errors import Denied, HostUnreachable, LoginRefused, OutsideError, ServiceFailed

_LOGIN = (ER.ACCESS_DENIED_ERROR, 1698, 1130)  # 1698: another plugin; 1130: not from this address
_DENIED = (
    ER.DBACCESS_DENIED_ERROR,
    ER.TABLEACCESS_DENIED_ERROR,
    ER.COLUMNACCESS_DENIED_ERROR,
    ER.SPECIFIC_ACCESS_DENIED_ERROR,
)
_LOST = (CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, CR.CR_CONN_HOST_ERROR, CR.CR_CONNECTION_ERROR)


class MariaDb:
    """One server and one account; connects when first used. Not for several threads at once."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: Secret,
        ca_file: Path,
        database: str = "",
        connect_timeout_s: float = 10.0,
        statement_timeout_s: float = 120.0,
        ping_after_idle_s: float = 2.0,
    ) -> None:
        self._host, self._port, self._user, self._password = host, port, user, password
        self._ca_file, self._database = ca_file, database
        self._connect_timeout_s, self._statement_timeout_s = connect_timeout_s, statement_timeout_s
        self._connection: pymysql.connections.Connection[pymysql.cursors.DictCursor] | None = None
        self._in_transaction = False
        # A ping is a round trip, and 36 ms over the link: not before every statement of a changeover.
        self._ping_after_idle_s, self._used_at = ping_after_idle_s, 0.0

    @property
    def name(self) -> str:
        """`host:port`."""
        return f"{self._host}:{self._port}"

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """See `ports.Sql.rows`."""
        with self._cursor(statement, parameters) as cursor:
            return list(cursor.fetchall())

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """See `ports.Sql.execute`."""
        with self._cursor(statement, parameters) as cursor:
            return int(cursor.rowcount)

    def close(self) -> None:
        """End the connection; an open transaction is rolled back by the server."""
        connection, self._connection = self._connection, None
        self._in_transaction = False
        if connection is not None and connection.open:
            try:
                connection.close()
            except pymysql.MySQLError:
                connection._force_close()  # type: ignore[attr-defined]  # missing in the stubs

    def _cursor(self, statement: str, parameters: Sequence[Any]) -> pymysql.cursors.DictCursor:
        connection = self._open()
        cursor = connection.cursor()
        try:
            cursor.execute(statement, tuple(parameters) or None)
        except pymysql.MySQLError as error:
            lost = bool(error.args) and error.args[0] in _LOST
            if lost:
                self.close()
            raise self._translated(error) from error
        finally:
            self._used_at = time.monotonic()
        verb = statement.lstrip().split(None, 1)[0].upper().rstrip(";")
        if verb in ("START", "BEGIN") and "SLAVE" not in statement.upper():
            self._in_transaction = True
        elif verb in ("COMMIT", "ROLLBACK"):
            self._in_transaction = False
        return cursor

    def _open(self) -> pymysql.connections.Connection[pymysql.cursors.DictCursor]:
        idle = time.monotonic() - self._used_at >= self._ping_after_idle_s
        if self._connection is not None and idle and not self._in_transaction:
            try:
                self._connection.ping(reconnect=False)
            except (pymysql.MySQLError, OSError):
                self.close()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> pymysql.connections.Connection[pymysql.cursors.DictCursor]:
        try:
            context = ssl.create_default_context(cafile=str(self._ca_file))
        except (OSError, ssl.SSLError) as error:
            raise ServiceFailed(self.name, f"the CA file {self._ca_file} is not usable: {error}") from error
        try:
            return pymysql.connect(
                host=self._host,
                port=self._port,
                user=self._user,
                password=self._password.reveal(),
                database=self._database or None,
                ssl=context,
                autocommit=True,
                charset="utf8mb4",
                connect_timeout=self._connect_timeout_s,
                read_timeout=self._statement_timeout_s,
                write_timeout=self._statement_timeout_s,
                cursorclass=pymysql.cursors.DictCursor,
            )
        except pymysql.MySQLError as error:
            raise self._translated(error) from error
        except ssl.SSLError as error:
            raise self._untrusted(error) from error
        except OSError as error:
            raise HostUnreachable(self.name, f"no connection: {error}") from error

    def _untrusted(self, error: BaseException) -> OutsideError:
        return ServiceFailed(
            self.name, f"its TLS certificate is not trusted: {error}", f"is it signed by {self._ca_file}?"
        )

    def _translated(self, error: pymysql.MySQLError) -> OutsideError:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[-1]) if error.args else str(error)
        cause = error.__cause__ or getattr(error, "original_exception", None)
        if isinstance(cause, ssl.SSLError):
            return self._untrusted(cause)
        if code in _LOGIN:
            return LoginRefused(self.name, f"does not take the password of {self._user}")
        if code in _DENIED:
            return Denied(self.name, text)
        if code in _LOST:
            if "SSL" in text:
                return ServiceFailed(
                    self.name, f"no verified TLS: {text}", "TLS is required on every connection"
                )
            return HostUnreachable(self.name, text)
        return ServiceFailed(self.name, f"error {code}: {text}")
