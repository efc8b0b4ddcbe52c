"""The generators of a run: who is there, whether each can do its part, and how its clock stands to ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from distributed import Client, Future

from inventory.errors import BadInput
from tasks.drivers.errors import CommandFailed, HostUnreachable, OutsideError
from tasks.replay.spread.clock import ROUND_TRIPS, Offset, RoundTrip, offset_of
from tasks.replay.spread.generator import Ready, clock_of_scheduler, code_digest, ready
from tasks.replay.spread.scheduler import Spread, is_loopback
from tasks.replay.spread.shards import Shard
from tasks.replay.target_url import Endpoint

RESOURCE = "generator"
ANSWER_WITHIN_S = 30.0  # a worker's first task imports all that a shard needs
START = f"dask worker SCHEDULER --resources {RESOURCE}=1 --nthreads 1 --no-nanny"
T = TypeVar("T")


@dataclass(frozen=True)
class Generator:
    """A worker that can take a shard."""

    address: str
    host: str
    clock: Offset


async def workers_of(client: Client) -> list[str]:
    """The addresses of the workers that offer a generator, in order."""
    scheduler: Any = client.scheduler  # untyped, and None only before it is connected
    workers = (await scheduler.identity(n_workers=-1))["workers"]
    return sorted(a for a, worker in workers.items() if worker["resources"].get(RESOURCE, 0) >= 1)


async def addresses_of(client: Client, spread: Spread, endpoint: Endpoint) -> list[str]:
    """Who is there. Raises OutsideError where it is not who is wanted, BadInput for a loopback target."""
    found = await workers_of(client)
    if not found:
        raise OutsideError(spread.scheduler, "no worker offers a generator", f"start them: {START}")
    if spread.generators and len(found) != spread.generators:
        raise OutsideError(
            spread.scheduler,
            f"{len(found)} generators are there ({', '.join(found)}), not {spread.generators}",
            START,
        )
    elsewhere = [address for address in found if not is_loopback(str(urlsplit(address).hostname))]
    if elsewhere and is_loopback(endpoint.address):
        raise BadInput(
            f"{endpoint.url} is for each generator its own machine (one is {elsewhere[0]}); "
            "name the target's address"
        )
    return found


async def crew(client: Client, addresses: list[str], shard: Shard) -> list[Generator]:
    """Warms all of them up and asks each whether it can take such a shard. Raises OutsideError for the first
    that cannot."""
    code = code_digest()
    tasks = (ask(client, address, ready, shard) for address in addresses)
    answers: list[Ready] = await asyncio.gather(*tasks)
    for address, answer in zip(addresses, answers, strict=True):
        if answer.problem:
            raise OutsideError(f"{answer.host} ({address})", answer.problem)
        if answer.code != code:
            raise OutsideError(
                f"{answer.host} ({address})",
                "its safe-harbor-exit is not the one of this machine",
                "install the same version on all machines",
            )
    of_scheduler = offset_of([await _round_trip(client) for _ in range(ROUND_TRIPS)])
    generators = []
    for address, answer in zip(addresses, answers, strict=True):
        clock = of_scheduler - offset_of(await ask(client, address, clock_of_scheduler))
        if problem := clock.problem():
            raise OutsideError(f"{answer.host} ({address})", problem)
        generators.append(Generator(address, answer.host, clock))
    return generators


def submitted(client: Client, address: str, function: Callable[..., T], *arguments: object) -> Future[T]:
    """A task for this worker and no other."""
    return client.submit(
        function,
        *arguments,
        workers=[address],
        allow_other_workers=False,
        resources={RESOURCE: 1},
        pure=False,
        retries=0,
    )


async def ask(client: Client, address: str, function: Callable[..., T], *arguments: object) -> T:
    """Raises HostUnreachable where no answer comes, CommandFailed where the task failed."""
    future = submitted(client, address, function, *arguments)
    try:
        await asyncio.wait_for(future.exception(), ANSWER_WITHIN_S)  # returns when it is over, well or not
    except TimeoutError as error:
        raise HostUnreachable(
            address, f"no answer in {ANSWER_WITHIN_S:g} s", "it may be busy with another run, or be gone"
        ) from error
    if future.status != "finished":
        raise CommandFailed(address, await failure_of(future), "install safe-harbor-exit on it")
    answer: T = await future
    return answer


async def failure_of(future: Future[Any]) -> str:
    """Why a task did not finish."""
    error = await future.exception()
    return f"{type(error).__name__}: {error}" if error else str(future.status)


async def _round_trip(client: Client) -> RoundTrip:
    asked_ns = time.time_ns()
    there_ns = await client.run_on_scheduler(time.time_ns)
    return RoundTrip(asked_ns, there_ns, time.time_ns())
