"""The rehearsal's customers: an independent client in a process of its own, not to be talked into success.

`python -m rehearsal.customers --dns 198.18.0.53 --name shop.fjordshop.example --rps 200 --log FILE`

Requests start on a fixed schedule, whatever the shop does; the time of each is counted from when it should
have started. One JSON line a request: t (epoch seconds of the intended start), method, path, status (0: no
whole answer), ms, site, token, order, error. SIGTERM ends the schedule; what is under way is finished, and
the summary is printed as one JSON document.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

import uvloop

from rehearsal.customer_http import Answer, Connections, RequestFailed, Resolver
from rehearsal.customer_mix import Mix, Request

REQUEST_TIMEOUT_S = 40.0
FINISH_WITHIN_S = 15.0
MAX_UNDER_WAY = 2000


class Crowd:
    """All customers of a run, and what they met."""

    def __init__(self, resolver: Resolver, port: int, name: str, mix: Mix, log: TextIO) -> None:
        self._resolver = resolver
        self._connections = Connections(resolver, port)
        self._name, self._mix, self._log = name, mix, log
        self._under_way: set[asyncio.Task[None]] = set()
        self._times_ms: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._sites: Counter[str] = Counter()
        self._acknowledged = 0
        self.stop = asyncio.Event()

    async def visit(self, rps: float, seconds: float) -> None:
        """Keep the schedule until `seconds` are over or `stop` is set, then finish what is under way."""
        first, first_epoch = time.monotonic(), time.time()  # the loop's own clock counts whole milliseconds
        number = 0
        while number < rps * seconds:
            intended = first + number / rps
            if await self._stopped_before(intended):
                break
            when = first_epoch + number / rps
            if len(self._under_way) >= MAX_UNDER_WAY:
                self._note(Request("GET", "/"), when, 0.0, None, "not sent: too many requests under way")
            else:
                task = asyncio.create_task(self._one(self._mix.next(), intended, when))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            number += 1
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=FINISH_WITHIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._connections.close()

    async def _stopped_before(self, moment: float) -> bool:
        wait_s = moment - time.monotonic()
        if wait_s <= 0:
            await asyncio.sleep(0)
            return self.stop.is_set()
        try:
            async with asyncio.timeout(wait_s):
                return await self.stop.wait()
        except TimeoutError:
            return False

    async def _one(self, request: Request, intended: float, when: float) -> None:
        answer: Answer | None = None
        error = ""
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                answer = await self._ask(request)
        except RequestFailed as failure:
            error = str(failure)
        except TimeoutError:
            error = f"no answer in {REQUEST_TIMEOUT_S:.0f} s"
        except asyncio.CancelledError:
            error = "still without an answer when the run ended"
        ms = (time.monotonic() - intended) * 1000
        if answer is not None and answer.status == 200 and request.path == "/cart":
            self._mix.confirmed(request.session)
        self._note(request, when, ms, answer, error)

    async def _ask(self, request: Request) -> Answer:
        connection = await self._connections.take()
        try:
            return await connection.ask(request.method, request.path, self._name, request.form)
        finally:
            self._connections.give_back(connection)

    def _note(self, request: Request, when: float, ms: float, answer: Answer | None, error: str) -> None:
        line: dict[str, Any] = {
            "t": round(when, 6),
            "method": request.method,
            "path": request.path,
            "status": answer.status if answer else 0,
            "ms": round(ms, 3),
            "site": answer.site if answer else "",
            "token": request.token,
            "order": order_in(answer) if answer and request.token else None,
        }
        if error:
            line["error"] = error
        self._log.write(json.dumps(line) + "\n")
        self._times_ms.append(ms)
        self._statuses[line["status"]] += 1
        self._sites[line["site"]] += 1
        self._acknowledged += line["order"] is not None

    def summary(self) -> dict[str, Any]:
        """What the run came to. A request failed where it got no answer or one of 400 and more."""
        times = sorted(self._times_ms)

        def percentile(share: float) -> float:
            return round(times[min(len(times) - 1, int(share * len(times)))], 3) if times else 0.0

        return {
            "requests": len(times),
            "failed": sum(count for status, count in self._statuses.items() if not 200 <= status < 400),
            "statuses": {str(status): count for status, count in sorted(self._statuses.items())},
            "sites": dict(self._sites),
            "orders_acknowledged": self._acknowledged,
            "p50_ms": percentile(0.5),
            "p99_ms": percentile(0.99),
            "max_ms": percentile(1.0),
            "connections": self._connections.opened,
            "dns_questions": self._resolver.asked,
            "dns_failures": self._resolver.failed,
        }


def order_in(answer: Answer) -> int | None:
    """The order's number in a checkout's answer; None where it acknowledges none."""
    if answer.status not in (200, 201):
        return None
    try:
        order = json.loads(answer.body)["order"]
    except (ValueError, KeyError, TypeError):
        return None
    return order if isinstance(order, int) else None


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """One run, as the command line says; its summary."""
    resolver = Resolver(arguments.dns, arguments.dns_port, arguments.name)
    mix = Mix(arguments.seed, f"c{secrets.token_hex(4)}")
    with Path(arguments.log).open("a", buffering=1) as log:
        crowd = Crowd(resolver, arguments.port, arguments.name, mix, log)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, crowd.stop.set)
        await crowd.visit(arguments.rps, arguments.seconds)
    return crowd.summary()


def main(argv: list[str] | None = None) -> int:
    """Run the customers and print the summary; 0 also where requests failed, for others judge that."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.customers")
    parser.add_argument("--dns", required=True, help="address of the authoritative name server")
    parser.add_argument("--dns-port", type=int, default=53)
    parser.add_argument("--name", required=True, help="the shop's name")
    parser.add_argument("--port", type=int, default=80, help="the shop's port")
    parser.add_argument("--rps", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--log", required=True, help="file that gets one JSON line a request")
    summary = uvloop.run(run(parser.parse_args(argv)))
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
