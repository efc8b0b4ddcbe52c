"""A job becomes shards, and the records of shards become those of the run again."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inventory.errors import BadInput
from tasks.replay.capture import Target
from tasks.replay.job import Job
from tasks.replay.records import PER_CONNECTION, Fault, Records

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Shard:
    """What one generator is given; `ca_pem` is what the job's `ca_file` holds, which it has not."""

    job: Job
    targets: tuple[Target, ...]
    ca_pem: str


def places(job: Job, parts: int) -> Places:
    """The shard of each request: i mod `parts`, so that each has the whole run's mix and pace.

    With sessions all requests of a client go to one shard, as it keeps the client's connection and cookies.
    """
    numbers = np.frombuffer(job.client, dtype=np.uint32) if job.client else np.arange(len(job.due_s))
    return np.asarray(numbers % parts, dtype=np.intp)


def sharded(job: Job, parts: int) -> list[Job]:
    """The jobs of the generators. The connections are shared out too: the target sees no more of them than
    from one machine. Raises BadInput where one would have nothing to do."""
    if job.connections < parts:
        raise BadInput(
            f"{job.connections} connections for {parts} generators; allowed: one for each and more"
        )
    where = places(job, parts)
    if idle := parts - len(np.unique(where)):
        what = "clients" if job.client else "requests"
        raise BadInput(f"the run has too few {what} for {parts} generators: {idle} would have nothing to do")
    return [
        replace(
            job,
            due_s=_picked(job.due_s, where == part),
            target=_picked(job.target, where == part),
            expected_status=_picked(job.expected_status, where == part),
            client=_picked(job.client, where == part) if job.client else job.client,
            connections=job.connections // parts + (part < job.connections % parts),
        )
        for part in range(parts)
    ]


def without_requests(job: Job) -> Job:
    """What there is to know of a job before its requests come."""
    return replace(
        job, wires=[], due_s=array("d"), target=array("I"), expected_status=array("H"), client=array("I")
    )


def joined(shards: Sequence[Records], where: Places) -> Records:
    """The run's records, in its order; the inverse of sharding by `where`."""
    whole = {}
    for name in Records.__dataclass_fields__:
        if name in PER_CONNECTION:
            whole[name] = np.concatenate([getattr(shard, name) for shard in shards])
            continue
        values = np.empty(len(where), dtype=getattr(shards[0], name).dtype)
        for part, shard in enumerate(shards):
            values[where == part] = getattr(shard, name)
        whole[name] = values
    return Records(**whole)


def lost(job: Job) -> Records:
    """The records of a shard of which nothing is known: whether it was sent, what was answered."""
    requests = len(job.due_s)
    never = np.full(requests, np.nan)
    zeros = np.zeros(requests, dtype=np.uint8)
    return Records(
        due_s=np.array(job.due_s, dtype=np.float64),
        fired_s=never,
        sent_s=never,
        first_byte_s=never,
        done_s=never,
        server_s=never,
        status=np.zeros(requests, dtype=np.uint16),
        body_hash=np.zeros(requests, dtype=np.uint64),
        fault=np.full(requests, Fault.LOST, dtype=np.uint8),
        retried=zeros,
        fresh=zeros,
        target=np.array(job.target, dtype=np.uint32),
        expected_status=np.array(job.expected_status, dtype=np.uint16),
    )


def _picked(values: array[Any], mine: NDArray[np.bool_]) -> array[Any]:
    return array(values.typecode, np.array(values)[mine].tobytes())
