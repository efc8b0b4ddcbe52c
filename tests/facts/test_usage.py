"""What passed between two readings of a machine; the recorded ones are three seconds apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.facts.asked import FactUnreadable
from tasks.facts.cpu import CpuTicks
from tasks.facts.gather import marker_of, parse
from tasks.facts.usage import Counted, Usage, between, counted, parse_probe, questions

DATA = Path(__file__).parents[1] / "data"
BEFORE = Counted(CpuTicks(10_000, 100, 7_000), 500, 1_000, 8_000, 40)
AFTER = Counted(CpuTicks(10_400, 110, 7_190), 450, 1_000, 9_000, 52)


def recorded(name: str, *, hidden: str = "\0") -> Counted:
    text = (DATA / "facts" / f"usage-{name}.machine.txt").read_text()
    text = text.replace("@@marker", marker_of(questions())).replace(hidden, "Hidden")
    return counted(parse("oslo-1", questions(), text))


def test_a_real_machine() -> None:
    before, after = recorded("before"), recorded("after")
    found = between(before, after)
    assert found.missing == ""
    assert found.conntrack_max == 262144
    assert after.ticks.total - before.ticks.total > 100
    assert found.cpu_busy is not None
    assert found.steal is not None
    assert 0 < found.cpu_busy + found.steal <= 1
    assert found.tcp_sent == after.tcp_sent - before.tcp_sent >= 0
    assert found.tcp_resent is not None


def test_a_host_that_hides_a_counter_is_not_a_host_without_loss() -> None:
    with pytest.raises(FactUnreadable, match=r"oslo-1.*RetransSegs"):
        recorded("after", hidden="RetransSegs")


def test_shares_and_deltas() -> None:
    assert between(BEFORE, AFTER) == Usage(0.5, 0.025, 500, 1_000, 1_000, 12)


def test_what_says_nothing_is_missing_and_not_zero() -> None:
    short = between(BEFORE, replace(BEFORE, ticks=CpuTicks(10_050, 100, 7_050)))
    assert (short.cpu_busy, short.steal, short.missing) == (
        None,
        None,
        "only 50 ticks of processor time were counted",
    )
    booted = between(BEFORE, replace(AFTER, ticks=CpuTicks(300, 1, 200), tcp_sent=20, tcp_resent=0))
    assert (booted.steal, booted.tcp_sent, booted.tcp_resent) == (None, None, None)
    assert "the counters of TCP began anew" in booted.missing
    hidden = between(
        replace(BEFORE, conntrack_count=None), replace(AFTER, conntrack_count=None, conntrack_max=None)
    )
    assert (hidden.conntrack_count, hidden.missing) == (None, "connection tracking is not shown")
    assert hidden.steal == 0.025


def test_the_probe_says_the_same() -> None:
    found = parse_probe((DATA / "dataplane" / "probe-usage.json").read_text())
    assert found.ticks.total > found.ticks.idle > 0
    assert found.conntrack_max == 262144
    assert found.tcp_sent > found.tcp_resent >= 0


@given(st.text(max_size=40))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse_probe(text)
