"""What disturbed the rounds: processor time that was stolen, and connection tracking that filled up.

A run with steal at the limit on a machine with a kernel of its own says nothing of the side and is void. In a
container the steal is that of the machine beneath it, and where nobody can tell whose kernel it is, the steal
may be: then it is shown. So is what could not be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.stolen import LIMIT
from tasks.gates.rounds_file import MachineReading, Reading

CODE = "RPL-LOAD"
MAX_CONNTRACK = 0.6  # of the table, as under capacity's load


def void_reasons(machines: Iterable[MachineReading]) -> list[str]:
    """Why the run must be repeated; empty where it need not. The generator's own steal shows as lateness,
    by which its runs are judged anyway."""
    return [
        f"{each.machine}: {_steal(each)}"
        for each in machines
        if each.part != "generator" and each.own_kernel and each.steal is not None and each.steal >= LIMIT
    ]


def disturbed(readings: Iterable[Reading]) -> list[str]:
    """A sentence for every machine and run that went beyond a limit."""
    return [
        f"{_run(reading)}: {each.machine}: {told}"
        for reading in readings
        for each in reading.machines
        for told in _beyond(each)
    ]


def load_findings(readings: Sequence[Reading], evidence: tuple[Evidence, ...]) -> list[Finding]:
    """One finding a machine over all valid runs. It never stops a stage: what must not count is void."""
    machines: dict[str, list[MachineReading]] = {}
    for reading in readings:
        for each in reading.machines if reading.valid else ():
            machines.setdefault(each.machine, []).append(each)
    return [_finding(name, seen, evidence) for name, seen in machines.items()]


def _run(reading: Reading) -> str:
    return f"round {reading.round}, {reading.side}{'' if reading.valid else ' (discarded)'}"


def _finding(name: str, seen: Sequence[MachineReading], evidence: tuple[Evidence, ...]) -> Finding:
    beyond = sum(bool(list(_beyond(each))) for each in seen)
    missing = sorted({each.missing for each in seen if each.missing})
    remedy = ""
    if beyond:
        remedy = "see rounds.json for which rounds; latencies measured meanwhile are too high"
    elif missing:
        remedy = "declare the node under source.nodes, or make the reading visible (see the runbook)"
    told = f"{len(seen)} runs: {', '.join(_at_most(seen))}"
    if missing:
        told += f" (not read: {'; '.join(missing)})"
    return Finding(
        code=CODE,
        subject=name,
        verdict=Verdict.WARN if beyond or missing else Verdict.PASS,
        observed=told,
        expected=f"steal below {LIMIT:.0%}, connection tracking below {MAX_CONNTRACK:.0%}, in every round",
        evidence=evidence,
        remedy=remedy,
        severity=Severity.MEDIUM,
    )


def _at_most(seen: Sequence[MachineReading]) -> Iterator[str]:
    for what, values in (
        ("processors busy", [each.cpu_busy for each in seen]),
        ("steal", [each.steal for each in seen]),
        ("connection tracking", [each.conntrack for each in seen]),
    ):
        known = [value for value in values if value is not None]
        yield f"{what} at most {max(known):.1%}" if known else f"{what} unknown"
    resent = [each.tcp_resent for each in seen if each.tcp_resent is not None]
    yield f"{sum(resent)} TCP segments sent again" if resent else "TCP segments sent again unknown"


def _beyond(each: MachineReading) -> Iterator[str]:
    if each.steal is not None and each.steal >= LIMIT:
        yield _steal(each)
    if each.conntrack is not None and each.conntrack >= MAX_CONNTRACK:
        yield f"connection tracking {each.conntrack:.0%} full, limit {MAX_CONNTRACK:.0%}"


def _steal(each: MachineReading) -> str:
    beneath = " from the machine under this container" if each.own_kernel is False else ""
    return f"{each.steal:.1%} of the processor time stolen{beneath}, limit {LIMIT:.0%}"
