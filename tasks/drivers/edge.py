"""haproxy's runtime API, by TCP or by a socket on a declared node. Implements `ports.EdgeProxy`.

The edge is one that `tasks.operations.haproxy_config` rendered: a map with `share` and `hold`, backends
`source`, `target` and their `_writes`.
"""

from __future__ import annotations

import csv
import re
import socket
import time
from collections.abc import Callable, Mapping

from inventory.models.command import Command
from tasks.drivers.errors import HostUnreachable, ServiceFailed
from tasks.drivers.ports import Host

SIDES = ("source", "target")
_MAP_PATH = re.compile(r"\((/[^)]*/shift\.map)\)")
_ENTRY = re.compile(r"^0x[0-9a-f]+ (\S+) (\S+)$", re.MULTILINE)
# Every thread sees a change at once; a request that read the entry before it is in its backend by then.
SETTLE_S = 0.05
ANSWER_BYTES = 4 << 20


def over_tcp(host: str, port: int, timeout_s: float = 5.0) -> Callable[[str], str]:
    """Sends one line of commands to `HOST:PORT` and returns the answer. Raises HostUnreachable."""

    def send(line: str) -> str:
        answer = bytearray()
        try:
            with socket.create_connection((host, port), timeout=timeout_s) as connection:
                connection.sendall(line.encode() + b"\n")
                while chunk := connection.recv(65536):
                    answer += chunk
                    if len(answer) > ANSWER_BYTES:
                        raise ServiceFailed(f"{host}:{port}", "answers without an end")
        except OSError as error:
            raise HostUnreachable(
                f"{host}:{port}", f"haproxy's runtime API does not answer: {error}",
                "is haproxy up, and `stats socket` bound there?",
            ) from error  # fmt: skip
        return answer.decode("utf-8", "replace")

    return send


def over_host(host: Host, path: str, timeout_s: float = 5.0) -> Callable[[str], str]:
    """Sends one line of commands to a socket on the host, by socat. Raises HostUnreachable."""

    def send(line: str) -> str:
        command = Command.of("socat", "-t", int(timeout_s), "-", f"UNIX-CONNECT:{path}")
        output = host.run(command, stdin=line.encode() + b"\n", timeout_s=timeout_s + 5)
        if not output.ok:
            raise HostUnreachable(
                f"{host.name}:{path}", f"haproxy's runtime API does not answer: {output.stderr.strip()}",
                f"on {host.name}: systemctl status haproxy; is socat installed?",
            )  # fmt: skip
        return output.stdout

    return send


class HaproxyEdge:
    """An edge by its runtime API. `send` is `over_tcp(...)` or `over_host(...)`."""

    def __init__(self, name: str, send: Callable[[str], str], *, effective_within_s: float = 3.0) -> None:
        self._name = name
        self._send = send
        self._effective_within_s = effective_within_s
        self._map = ""

    @property
    def name(self) -> str:
        """The edge's address."""
        return self._name

    def weights(self) -> dict[str, int]:
        """`source` and `target` in percent; they add up to 100."""
        share = self._entries()["share"]
        return {"source": 100 - share, "target": share}

    def shift(self, weights: Mapping[str, int]) -> None:
        """Set the shares, and return once haproxy says so. Raises ServiceFailed where it does not.

        Raises ValueError where the shares are not of `source` and `target`, or do not add up to 100.
        """
        if set(weights) != set(SIDES) or sum(weights.values()) != 100 or min(weights.values()) < 0:
            raise ValueError(f"shares {dict(weights)} must be of source and target and add up to 100")
        self._set("share", weights["target"])

    def hold_writes(self, hold: bool) -> None:
        """Hold or release writes, and return once haproxy says so."""
        self._set("hold", int(hold))
        time.sleep(SETTLE_S)

    def writes_held(self) -> bool:
        """Whether writes are held now."""
        return self._entries()["hold"] == 1

    def writes_in_flight(self) -> int:
        """Writes that were let through and are not answered yet, over both sides."""
        return sum(int(row["scur"]) for row in self._backends() if row["pxname"].endswith("_writes"))

    def counters(self) -> dict[str, dict[str, int]]:
        """Per side since haproxy's start: `requests`, `errors` (answers 5xx, haproxy's own among them, so
        failed connections as well), `sessions` now, `retries`, `fallbacks` (served by the home side because
        the far side did not answer) and `servers_up`."""
        sides = {
            side: dict.fromkeys(
                ("requests", "errors", "sessions", "retries", "fallbacks", "servers_up", "servers"), 0
            )
            for side in SIDES
        }
        for row in self._stat():
            side = row["pxname"].removesuffix("_writes")
            if side not in sides:
                continue
            figures = sides[side]
            if row["svname"] == "BACKEND":
                figures["requests"] += _number(row["req_tot"])
                figures["errors"] += _number(row["hrsp_5xx"])
                figures["sessions"] += _number(row["scur"])
                figures["retries"] += _number(row["wretr"])
            elif row["svname"].startswith("home-"):
                figures["fallbacks"] += _number(row["stot"])
            elif row["pxname"] == side:
                figures["servers"] += 1
                figures["servers_up"] += row["status"].startswith("UP")
        return sides

    def _set(self, key: str, value: int) -> None:
        answer = self._send(f"set map {self._map_path()} {key} {value}").strip()
        if answer:
            raise ServiceFailed(self._name, f"`set map {key} {value}` was answered with {answer!r}")
        deadline = time.monotonic() + self._effective_within_s
        while (found := self._entries()[key]) != value:
            if time.monotonic() > deadline:
                raise ServiceFailed(self._name, f"{key} is still {found} after it was set to {value}")
            time.sleep(SETTLE_S)

    def _map_path(self) -> str:
        if not self._map:
            answer = self._send("show map")
            found = _MAP_PATH.search(answer)
            if not found:
                raise ServiceFailed(
                    self._name, "haproxy has no map shift.map", "is this an edge that safe-harbor set up?"
                )
            self._map = found.group(1)
        return self._map

    def _entries(self) -> dict[str, int]:
        answer = self._send(f"show map {self._map_path()}")
        entries = {key: value for key, value in _ENTRY.findall(answer) if value.isdigit()}
        if not {"share", "hold"} <= set(entries):
            self._map = ""
            raise ServiceFailed(self._name, f"the map has no share and hold: {answer.strip()[:200]!r}")
        return {key: int(value) for key, value in entries.items()}

    def _stat(self) -> list[dict[str, str]]:
        answer = self._send("show stat")
        if not answer.startswith("# "):
            raise ServiceFailed(self._name, f"`show stat` was answered with {answer.strip()[:200]!r}")
        return list(csv.DictReader(answer[2:].strip().splitlines()))

    def _backends(self) -> list[dict[str, str]]:
        rows = [row for row in self._stat() if row["svname"] == "BACKEND"]
        missing = {f"{side}_writes" for side in SIDES} - {row["pxname"] for row in rows}
        if missing:
            raise ServiceFailed(self._name, f"haproxy has no backend {', '.join(sorted(missing))}")
        return rows


def _number(text: str) -> int:
    return int(text) if text else 0
