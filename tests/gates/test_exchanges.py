"""Round trips to the exchanges: what ping said, what is judged of it, and the real ping on loopback."""

from __future__ import annotations

import math
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.models.site import Exchange
from inventory.models.verdict import Verdict
from tasks.facts import round_trips
from tasks.facts.round_trips import RoundTrips
from tasks.gates.exchanges import judge_exchange
from tasks.steps import exchanges as step
from tasks.steps.stage import Draft
from tasks.steps.workplace import opened
from tests.inventory.sites import WHOLE, folder_with, refusal
from tests.move.local import LocalHost
from tests.steps.conftest import Heard
from tests.steps.fakes import World

NIX1 = Exchange(name="NIX1", address=IPv4Address("192.0.2.1"), max_min_ms=2.0, max_p99_ms=5.0)
SAID = """to 192.0.2.1
PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.
64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=0.163 ms
64 bytes from 192.0.2.1: icmp_seq=2 ttl=64 time=1.05 ms
64 bytes from 192.0.2.1: icmp_seq=2 ttl=64 time=1.09 ms (DUP!)

--- 192.0.2.1 ping statistics ---
3 packets transmitted, 2 received, +1 duplicates, 33.3333% packet loss, time 413ms
rtt min/avg/max/mdev = 0.163/0.6/1.09/0.055 ms
to 192.0.2.2
PING 192.0.2.2 (192.0.2.2) 56(84) bytes of data.

--- 192.0.2.2 ping statistics ---
3 packets transmitted, 0 received, 100% packet loss, time 2041ms

"""


def test_every_echo_is_read_and_lost_ones_count() -> None:
    found = round_trips.parse(SAID)
    assert found == {"192.0.2.1": RoundTrips(3, (0.163, 1.05)), "192.0.2.2": RoundTrips(3, ())}
    assert (found["192.0.2.1"].min_ms, found["192.0.2.1"].p99_ms) == (0.163, math.inf)
    assert round_trips.parse("no ping\n") is None


@pytest.mark.parametrize(
    "said", ["to 192.0.2.1\nping: connect: Network is unreachable\n", SAID.replace("2 rec", "3 rec")]
)
def test_what_ping_did_not_say_is_not_made_up(said: str) -> None:
    with pytest.raises(ValueError, match=r"192\.0\.2\.1"):
        round_trips.parse(said)


def near(ms: float = 1.0, lost: int = 0) -> RoundTrips:
    return RoundTrips(100, (ms,) * (100 - lost))


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        ({"a": near(), "b": near()}, Verdict.PASS),
        ({"a": near(), "b": near(lost=1)}, Verdict.PASS),
        ({"a": near(), "b": near(lost=2)}, Verdict.FAIL),
        ({"a": near(), "b": near(2.1)}, Verdict.FAIL),
        ({"a": near(), "b": RoundTrips(100, (1.0,) * 98 + (5.1, 9.0))}, Verdict.FAIL),
        ({"a": near()}, Verdict.NODATA),
        ({"a": near(), "b": None}, Verdict.NODATA),
        ({"a": near(), "b": near(lost=100)}, Verdict.NODATA),
        ({"a": near(3.0), "b": None}, Verdict.FAIL),
        ({}, Verdict.NODATA),
    ],
)
def test_an_exchange_is_judged_from_every_vantage(
    measured: dict[str, RoundTrips | None], verdict: Verdict
) -> None:
    finding = judge_exchange(NIX1, measured)
    assert finding.verdict is verdict
    assert (finding.remedy == "") is (verdict is Verdict.PASS)


@given(st.dictionaries(st.sampled_from("abc"), st.none() | st.lists(st.floats(0.01, 10), max_size=30)))
def test_a_pass_needs_two_near_vantages(times: dict[str, list[float] | None]) -> None:
    measured = {n: None if t is None else RoundTrips(30, tuple(sorted(t))) for n, t in times.items()}
    verdict = judge_exchange(NIX1, measured).verdict
    whole = [t for t in times.values() if t is not None and len(t) == 30 and max(t) <= 5 and min(t) <= 2]
    if verdict is Verdict.PASS:
        assert len(whole) >= 2


def test_the_nodes_are_asked_and_none_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "ECHOES", 3)
    declared = (
        "latency: {exchanges: [{name: NIX1, address: 127.0.0.1, max_min_ms: 900, max_p99_ms: 990},"
        " {name: NIX2, address: 127.0.0.2, max_min_ms: 0.0001, max_p99_ms: 990}]}\n"
    )
    world = World()

    def drivers(site: object) -> object:
        made = world.drivers(site)  # type: ignore[arg-type] # a Site
        made.own_hosts = {f"oslo-{n}": LocalHost() for n in (1, 2, 3)}
        return made

    for text, wanted in (("", {}), (declared, {"NIX1": Verdict.PASS, "NIX2": Verdict.FAIL})):
        file = folder_with(tmp_path / f"site{len(text)}", WHOLE.read_text() + text)
        draft = Draft()
        with opened(file, progress=Heard(), actor="tests", make_drivers=drivers):  # type: ignore[arg-type]
            step.judge_round_trips.fn(draft)
        assert {finding.subject: finding.verdict for finding in draft.findings} == wanted
        assert set(draft.figures.get("round_trips", {})) == set(wanted)
        if wanted:
            assert draft.figures["round_trips"]["NIX1"]["oslo-2"]["sent"] == 3
            assert "icmp_seq=1" in draft.findings[0].evidence[0].excerpt


def test_one_exchange_alone_is_refused(tmp_path: Path) -> None:
    one = "latency: {exchanges: [{name: NIX1, address: 192.0.2.1, max_min_ms: 2, max_p99_ms: 5}]}\n"
    said = refusal(folder_with(tmp_path / "site", WHOLE.read_text() + one))
    assert "one exchange says nothing of the other: declare two or more, or none" in said
