"""Makes the access log that is replayed: real requests through the ELB, as its haproxy logged them.

A seeded mix of anonymous pages (no cart is anybody else's to replay) is asked through the link; the edge's
own log lines of exactly these requests, with their real times, become the capture in combined log format.
The edge logs two more fields at the end (its time and the server), which are cut off.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import uvloop

from rehearsal.customer_http import Connection, RequestFailed, Resolution
from rehearsal.customer_mix import Request, look
from rehearsal.plan import Plan
from rehearsal.services.edge import NAME as EDGE_NAME
from rehearsal.services.files import write_private
from tasks.drivers.errors import ServiceFailed

REQUESTS = 3000
VISITORS = (
    8  # together a few hundred requests a second: that is the peak which the target must hold 1.5 times
)
SEED = 20151006
AGENT = "Mozilla/5.0 (X11; Linux x86_64) fjordshop-visitor/{run}"
SHARES = {"product": 55, "front": 17, "search": 14, "picture": 14}
SERVED_WITHIN_S = 30.0
SERVED_TIMES = 6  # each of three nodes answers twice
LOG_WITHIN_S = 10.0
QUIET_S = 1.0
ENOUGH = 0.99  # of the requests must stand in the log
_COMBINED = re.compile(rb'^(\S+ \S+ \S+ \[[^\]]+\] "[^"]*" \d{3} (?:\d+|-) "[^"]*" "([^"]*)")(?: .*)?$')


def make_capture(plan: Plan, *, requests: int = REQUESTS) -> int:
    """Ask the shop through the ELB and write `plan.capture` (0600: it holds addresses); the lines written.

    Raises ServiceFailed where a request is not answered by 200, or where the edge logged too few of them.
    """
    log = plan.state / "logs" / f"{EDGE_NAME}.log"
    uvloop.run(_wait_until_served(plan))
    start = log.stat().st_size
    agent = AGENT.format(run=f"{time.time_ns():x}")
    uvloop.run(_visit(plan, agent, requests))
    lines = _wait_for(log, start, agent, requests)
    write_private(plan.capture, b"".join(line + b"\n" for line in lines))
    return len(lines)


def combined_lines(log: Iterable[bytes], agent: str) -> list[bytes]:
    """The lines of one user agent, in the log's order, with nothing after the combined format's fields."""
    matches = (_COMBINED.match(line.rstrip(b"\r\n")) for line in log)
    return [match[1] for match in matches if match and match[2] == agent.encode()]


def visits(requests: int) -> Iterator[Request]:
    """The seeded mix: anonymous pages only."""
    draw = random.Random(SEED)  # noqa: S311 - the same capture every time, no secret
    kinds = draw.choices(list(SHARES), list(SHARES.values()), k=requests)
    return (look(kind, draw) for kind in kinds)


async def _wait_until_served(plan: Plan) -> None:
    """The edge's health checks see the pods a moment after they are ready; until then it answers 503.

    Raises ServiceFailed where no page was answered SERVED_TIMES times in a row within SERVED_WITHIN_S.
    """
    resolution = Resolution(plan.elb_public, time.monotonic() + 600.0)
    end, in_a_row, said = time.monotonic() + SERVED_WITHIN_S, 0, "nothing"
    while in_a_row < SERVED_TIMES:
        if time.monotonic() > end:
            raise ServiceFailed("shop", f"does not answer through the ELB: {said}")
        try:
            connection = await Connection.open(resolution, plan.http_port)
            answer = await connection.ask("GET", "/", plan.shop_name, agent="fjordshop-waits")
            connection.close()
            said = str(answer.status)
        except RequestFailed as failure:
            said = str(failure)
        in_a_row = in_a_row + 1 if said == "200" else 0
        await asyncio.sleep(0.1)


async def _visit(plan: Plan, agent: str, requests: int) -> None:
    todo = visits(requests)
    resolution = Resolution(plan.elb_public, time.monotonic() + 600.0)

    async def visitor() -> None:
        connection = await Connection.open(resolution, plan.http_port)
        for request in todo:
            if not connection.usable:
                connection.close()
                connection = await Connection.open(resolution, plan.http_port)
            answer = await connection.ask(request.method, request.path, plan.shop_name, agent=agent)
            if answer.status != 200:
                raise ServiceFailed("shop", f"answered {answer.status} to {request.path} through the ELB")
        connection.close()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in itertools.repeat(None, VISITORS):
                group.create_task(visitor())
    except* RequestFailed as failures:
        first = failures.exceptions[0]
        raise ServiceFailed("shop", f"a request through the ELB got no answer: {first}") from first
    except* ServiceFailed as refusals:
        raise refusals.exceptions[0] from None


def _wait_for(log: Path, start: int, agent: str, requests: int) -> list[bytes]:
    """The edge writes its log a moment after the answer, so wait until nothing more comes.

    haproxy leaves a line out where its threads meet at the log (seen: 1 of 3,000), so ENOUGH of them do.
    """
    end = time.monotonic() + LOG_WITHIN_S
    quiet_since, seen = time.monotonic(), -1
    while True:
        with log.open("rb") as file:
            file.seek(start)
            lines = combined_lines(file, agent)
        if len(lines) != seen:
            quiet_since, seen = time.monotonic(), len(lines)
        quiet = time.monotonic() - quiet_since > QUIET_S
        if seen >= requests or (quiet and seen >= ENOUGH * requests):
            return lines
        if time.monotonic() > end:
            raise ServiceFailed(EDGE_NAME, f"logged {len(lines)} of {requests} requests; see {log}")
        time.sleep(0.1)
