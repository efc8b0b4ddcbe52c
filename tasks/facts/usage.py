"""What a machine had to do between two readings: processors, connection tracking, what TCP sent again.

A reading takes no time on the machine: everything is a counter that the kernel keeps anyway. It comes over
SSH (`questions`), or from a probe pod on the node's own network (`parse_probe`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from inventory.models.command import Command
from tasks.facts import conntrack, counters
from tasks.facts.asked import Asked
from tasks.facts.cpu import MIN_TICKS, CpuTicks, parse_ticks
from tasks.facts.gather import Facts


def _segments(text: str) -> tuple[int, int]:
    found = counters.parse(text)
    return found["Tcp.OutSegs"], found["Tcp.RetransSegs"]


_TICKS = Asked("processor time", Command.of("grep", "^cpu ", "/proc/stat"), parse_ticks)
_TABLE = conntrack.ask()
_COUNTERS = Asked("TCP's counters", Command.of("grep", "^Tcp:", "/proc/net/snmp"), _segments)


@dataclass(frozen=True)
class Counted:
    """One reading. The table is None where the machine does not show it; segments are since the boot."""

    ticks: CpuTicks
    conntrack_count: int | None
    conntrack_max: int | None
    tcp_sent: int  # segments, those that were sent again not among them (RFC 4022, tcpOutSegs)
    tcp_resent: int


@dataclass(frozen=True)
class Usage:
    """What passed between two readings. Shares are 0..1; None was not observed, `missing` says why."""

    cpu_busy: float | None = None
    steal: float | None = None
    conntrack_count: int | None = None  # the larger of both readings
    conntrack_max: int | None = None
    tcp_sent: int | None = None
    tcp_resent: int | None = None
    missing: str = ""


def questions() -> tuple[Asked[Any], ...]:
    """What a host is asked, in one round trip."""
    return (_TICKS, _TABLE, _COUNTERS)


def counted(facts: Facts) -> Counted:
    """The answers of a host. Raises FactUnreadable."""
    table = facts.of(_TABLE)
    return Counted(facts.of(_TICKS), table.count, table.max, *facts.of(_COUNTERS))


def parse_probe(output: str) -> Counted:
    """What `probe usage` answers. Raises ValueError or KeyError for any other answer."""
    value = json.loads(output)
    if not isinstance(value, dict):
        raise ValueError("a JSON object expected")
    ticks, tcp = parse_ticks(value["stat"]), _segments(value["tcp"])
    return Counted(ticks, value["conntrack_count"], value["conntrack_max"], *tcp)


def between(before: Counted, after: Counted) -> Usage:
    """What passed. Counters that began anew (the machine was booted) and too short a time say nothing."""
    window, missing = after.ticks.since(before.ticks), []
    told = window.total >= MIN_TICKS
    if not told:
        missing.append(f"only {window.total} ticks of processor time were counted")
    sent, resent = after.tcp_sent - before.tcp_sent, after.tcp_resent - before.tcp_resent
    if sent < 0 or resent < 0:
        missing.append("the counters of TCP began anew")
    counts = [each.conntrack_count for each in (before, after) if each.conntrack_count is not None]
    if not counts or not after.conntrack_max:
        missing.append("connection tracking is not shown")
    return Usage(
        cpu_busy=round(window.busy, 4) if told else None,
        steal=round(window.steal, 4) if told else None,
        conntrack_count=max(counts, default=None),
        conntrack_max=after.conntrack_max,
        tcp_sent=sent if min(sent, resent) >= 0 else None,
        tcp_resent=resent if min(sent, resent) >= 0 else None,
        missing="; ".join(missing),
    )
