"""What a run's records add up to; the tallies of its parts add up to that of the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.replay.capture import Target
from tasks.replay.histogram import Histogram
from tasks.replay.records import Fault, Records
from tasks.replay.routes import OVER_ALL

SERVER_ERROR = 500  # a complete answer from here on is done, and an error of the shop


@dataclass(frozen=True)
class Measured:
    """Histograms of one route, and its counts. `errors` are faults and answers of 500 and above.

    `server` is what the servers stated that they took; None where not every answer below 500 stated it.
    """

    route: str
    requests: int
    errors: int
    response: Histogram
    service: Histogram
    server: Histogram | None

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            self.route,
            self.requests + other.requests,
            self.errors + other.errors,
            self.response + other.response,
            self.service + other.service,
            self.server + other.server if self.server and other.server else None,
        )


@dataclass(frozen=True)
class Tally:
    """`routes` per route and `*`; `faults` by Fault, of which `NONE` are the answered; counts of `statuses`
    are of these. `connect` (TCP) and `tls` (the handshake) are over the connections that were opened."""

    routes: dict[str, Measured]
    lateness: Histogram
    first_byte: Histogram
    connect: Histogram
    tls: Histogram
    faults: Counter[int]
    statuses: Counter[int]
    status_differs: int
    retried: int
    stated: int  # answers that state the server's time

    def __add__(self, other: Tally) -> Tally:
        routes = dict(self.routes)
        for name, theirs in other.routes.items():
            routes[name] = routes[name] + theirs if name in routes else theirs
        return Tally(
            {name: routes[name] for name in sorted(routes)},  # `*` sorts before `/` and `other`
            self.lateness + other.lateness,
            self.first_byte + other.first_byte,
            self.connect + other.connect,
            self.tls + other.tls,
            self.faults + other.faults,
            self.statuses + other.statuses,
            self.status_differs + other.status_differs,
            self.retried + other.retried,
            self.stated + other.stated,
        )


def by_route(records: Records, targets: tuple[Target, ...], timeout_s: float) -> dict[str, Measured]:
    """Per route, and `*` over all."""
    failed = records.fault != Fault.NONE
    response_s = np.where(failed, timeout_s, records.done_s - records.due_s)
    service_s = np.where(failed, timeout_s, records.done_s - records.sent_s)
    errors = failed | (records.status >= SERVER_ERROR)
    stated = ~np.isnan(records.server_s)
    told = stated | errors  # an edge that answers in its stead states nothing
    server_s = np.where(stated, records.server_s, timeout_s)
    names = sorted({target.route for target in targets})
    number = {name: n for n, name in enumerate(names)}
    route = np.array([number[target.route] for target in targets])[records.target]
    measured = {}
    for name in (OVER_ALL, *names):
        mine = np.ones(len(route), dtype=bool) if name == OVER_ALL else route == number[name]
        if mine.any():
            measured[name] = Measured(
                name,
                int(mine.sum()),
                int(errors[mine].sum()),
                Histogram.of(response_s[mine]),
                Histogram.of(service_s[mine]),
                Histogram.of(server_s[mine]) if told[mine].all() else None,
            )
    return measured


def tally_of(records: Records, targets: tuple[Target, ...], timeout_s: float) -> Tally:
    """A request without an answer (time-out, reset, never sent) counts at `timeout_s`."""
    return tally_with(by_route(records, targets, timeout_s), records)


def tally_with(routes: dict[str, Measured], records: Records) -> Tally:
    """The tally of these records, whose routes are measured already."""
    done = records.fault == Fault.NONE
    late_s = records.fired_s - records.due_s
    told = records.expected_status > 0  # not every capture has it
    answered = done & ~np.isnan(records.first_byte_s)
    return Tally(
        routes,
        Histogram.of(late_s[~np.isnan(late_s)]),
        Histogram.of((records.first_byte_s - records.sent_s)[answered]),
        Histogram.of(records.connect_s),
        Histogram.of(records.tls_s[~np.isnan(records.tls_s)]),
        _counted(records.fault),
        _counted(records.status[done]),
        int((told & (records.status != records.expected_status) & done).sum()),
        int(records.retried.sum()),
        int((~np.isnan(records.server_s)).sum()),
    )


def _counted(values: NDArray[np.uint8] | NDArray[np.uint16]) -> Counter[int]:
    counts = np.bincount(values)
    return Counter({int(value): int(counts[value]) for value in np.flatnonzero(counts)})
