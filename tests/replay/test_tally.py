"""The tally of a run is the sum of the tallies of its parts, however it is parted."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.replay.capture import Target
from tasks.replay.records import Fault, Records
from tasks.replay.tally import Tally, tally_of

TARGETS = tuple(Target("GET", path, f"{path}/*") for path in ("/a", "/b", "/c"))
TIMEOUT_S = 2.0


@st.composite
def records(draw: st.DrawFn, most: int = 60) -> Records:
    """Records of a run as the engine leaves them: what failed has no `done_s`."""
    count = draw(st.integers(1, most))
    dice = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    due_s = np.sort(dice.uniform(0, 5, count))
    fired_s = due_s + dice.exponential(0.001, count)
    sent_s = fired_s + dice.exponential(0.001, count)
    fault = dice.choice([Fault.NONE, Fault.NONE, Fault.TIMEOUT, Fault.UNSENT], count).astype(np.uint8)
    first_s = np.where(fault == Fault.NONE, sent_s + dice.exponential(0.01, count), np.nan)
    return Records(
        due_s=due_s,
        fired_s=np.where(fault == Fault.UNSENT, np.nan, fired_s),
        sent_s=np.where(fault == Fault.UNSENT, np.nan, sent_s),
        first_byte_s=first_s,
        done_s=first_s + 0.001,
        server_s=np.where(fault == Fault.NONE, dice.exponential(0.005, count), np.nan),
        status=np.where(fault == Fault.NONE, dice.choice([200, 404, 503], count), 0).astype(np.uint16),
        body_hash=dice.integers(0, 2**63, count).astype(np.uint64),
        fault=fault,
        retried=dice.integers(0, 2, count).astype(np.uint8),
        fresh=dice.integers(0, 2, count).astype(np.uint8),
        target=dice.integers(0, len(TARGETS), count).astype(np.uint32),
        expected_status=dice.choice([0, 200], count).astype(np.uint16),
    )


def part(whole: Records, number: int, parts: int) -> Records:
    return Records(**{name: values[number::parts] for name, values in whole.__dict__.items()})


def same(one: Tally, other: Tally) -> bool:
    """Equal, histograms included (arrays have no truth of their own)."""
    plain = ("faults", "statuses", "status_differs", "retried", "stated")
    histograms = [(getattr(one, n), getattr(other, n)) for n in ("lateness", "first_byte", "connect")]
    for name, mine in one.routes.items():
        theirs = other.routes[name]
        if (mine.requests, mine.errors) != (theirs.requests, theirs.errors):
            return False
        histograms += [(mine.response, theirs.response), (mine.service, theirs.service)]
        if (mine.server is None) is not (theirs.server is None):
            return False
        histograms += [(mine.server, theirs.server)] if mine.server and theirs.server else []
    return (
        list(one.routes) == list(other.routes)
        and all(getattr(one, name) == getattr(other, name) for name in plain)
        and all((a.counts == b.counts).all() and a.max_us == b.max_us for a, b in histograms)
    )


@settings(max_examples=20)  # each is of many histograms
@given(records(), st.integers(1, 7))
def test_the_tallies_of_parts_add_up(whole: Records, parts: int) -> None:
    tallies = [tally_of(part(whole, n, parts), TARGETS, TIMEOUT_S) for n in range(parts)]
    added = tallies[0]
    for tally in tallies[1:]:
        added = added + tally
    assert same(added, tally_of(whole, TARGETS, TIMEOUT_S))
