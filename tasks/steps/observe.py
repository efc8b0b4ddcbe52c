"""Observations of the nodes, kept line by line: egress for NET-01, round trips for LOC-01.

Takes no ledger and no lock, so that a timer can run it beside a stage.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from inventory.errors import BadInput
from inventory.models.observation import Egress, Observation, Resolved
from inventory.models.site import Site
from tasks.drivers.clock import SystemClock
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Clock, Echoing, Host
from tasks.facts import egress, resolved
from tasks.steps.drivers import Drivers

OBSERVATIONS = Path("residency") / "observations.jsonl"
ECHOES = 50  # the least of them is the bound; they take less than a tenth of a second in Oslo


def observe(site: Site, vantage: str = "", clock: Clock | None = None) -> list[Observation]:
    """Look at every node once, and append what was seen.

    `vantage` names where this process runs; without it no round trip is measured. Raises BadInput for one
    that the site does not declare.
    """
    known = [each.name for each in site.processing.vantages]
    if vantage and vantage not in known:
        listed = ", ".join(known) or "none"
        raise BadInput(f"--vantage {vantage}: there is no such vantage (processing.vantages: {listed})")
    with closing(Drivers(site)) as drivers:
        hosts = drivers.hosts()
        found = [look(site, hosts[name], vantage, clock or SystemClock()) for name in sorted(hosts)]
    _append(site.state / OBSERVATIONS, found)
    return found


def look(site: Site, host: Echoing, vantage: str, clock: Clock) -> Observation:
    """What is seen of one node now; one that cannot be asked is an observation that says so."""
    at = clock.now()
    try:
        fact = egress.parse(host.check(egress.command()))
        addresses = _resolved(site, host)
        round_trip_ms = _least_echo_ms(host) if vantage else None
    except (OutsideError, ValueError) as error:
        return Observation(at=at, node=host.name, vantage=vantage, unseen=str(error))
    if fact.unseen:
        seen = None
    else:
        gone = {
            (each.protocol, each.destination, each.port) for each in egress.leaving(fact.flows, inside(site))
        }
        seen = tuple(Egress(protocol=p, address=a, port=n) for p, a, n in sorted(gone))
    return Observation(
        at=at,
        node=host.name,
        vantage=vantage,
        round_trip_ms=round_trip_ms,
        egress=seen,
        unseen=fact.unseen,
        resolved=addresses,
    )


def _resolved(site: Site, host: Host) -> tuple[Resolved, ...]:
    """What the host's resolver says of the declared names; one with `*` stands for too many to be asked."""
    declared = {name for each in site.processing.processors for name in each.hosts}
    names = sorted(name for name in declared if not name.startswith("*."))
    if not names:
        return ()
    found = resolved.parse(host.check(resolved.command(names)))
    return tuple(Resolved(name=name, addresses=found.get(name, ())) for name in names)


def inside(site: Site) -> tuple[str, ...]:
    """The networks of the target: what lies in them has not left."""
    target = site.target
    networks = [str(target.cluster.pod_cidr), str(target.cluster.service_cidr)]
    networks += [str(target.underlay)] if target.underlay else []
    return (*networks, *(f"{node.address}/32" for node in target.nodes))


def read_observations(state: Path) -> tuple[Observation, ...]:
    """Those kept in a state folder, oldest first. Raises BadInput with the line of one that is broken."""
    file = state / OBSERVATIONS
    return tuple(sorted(_lines(file), key=lambda each: each.at)) if file.exists() else ()


def _lines(file: Path) -> Iterator[Observation]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield Observation.model_validate_json(line)
            except ValidationError as error:
                said = error.errors(include_url=False)[0]["msg"]
                raise BadInput(f"is no observation: {said}", file, number) from error


def _least_echo_ms(host: Echoing) -> float:
    """The least time of several echoes of fresh nonces. Raises what `Echoing.echo_s` raises."""
    nonces = [secrets.token_bytes(16) for _ in range(ECHOES)]
    return round(min(host.echo_s(nonces)) * 1000, 3)


def _append(file: Path, rows: Sequence[Observation]) -> None:
    """One write for all: lines of two processes do not mix."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = "".join(f"{each.model_dump_json(by_alias=True)}\n" for each in rows)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(text.encode())
