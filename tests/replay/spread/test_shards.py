"""Shards: nothing is lost and nothing is doubled on the way out and back."""

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from tasks.replay.job import Job
from tasks.replay.records import Fault, Records
from tasks.replay.spread.shards import joined, lost, places, sharded
from tasks.replay.target_url import Endpoint
from tests.replay.test_tally import part, records

ENDPOINT = Endpoint("http://10.0.0.1", False, "10.0.0.1", "10.0.0.1", "10.0.0.1", 80)


def job(requests: int, connections: int = 64, clients: int = 0) -> Job:
    return Job(
        endpoint=ENDPOINT,
        wires=[b"GET / HTTP/1.1\r\n\r\n"] * 3,
        due_s=array("d", (n / 100 for n in range(requests))),
        target=array("I", (n % 3 for n in range(requests))),
        expected_status=array("H", (200 for _ in range(requests))),
        http="1.1",
        connections=connections,
        timeout_s=2.0,
        slo_ms=0.0,
        ca_file="",
        source_addresses=(),
        go_first=False,
        client=array("I", (n * n % clients for n in range(requests) if clients)),
    )


@given(st.integers(1, 9), st.integers(0, 200), st.integers(0, 500))
def test_record_i_goes_to_shard_i_mod_n(parts: int, more: int, more_connections: int) -> None:
    whole = job(parts + more, parts + more_connections)
    shards = sharded(whole, parts)
    assert len(shards) == parts
    for i, due_s in enumerate(whole.due_s):
        shard = shards[i % parts]
        assert (shard.due_s[i // parts], shard.target[i // parts]) == (due_s, whole.target[i])
    assert sum(len(shard.due_s) for shard in shards) == len(whole.due_s)
    assert sum(shard.connections for shard in shards) == whole.connections
    assert min(shard.connections for shard in shards) >= 1


@given(st.integers(1, 9), st.integers(9, 200), st.integers(1, 30))
def test_with_sessions_a_client_stays_whole(parts: int, requests: int, clients: int) -> None:
    whole = job(requests, clients=clients)
    if len(np.unique(places(whole, parts))) < parts:
        with pytest.raises(BadInput, match="too few clients"):
            sharded(whole, parts)
        return
    shards = sharded(whole, parts)
    seen = [set(shard.client) for shard in shards]
    assert sum(len(each) for each in seen) == len(set(whole.client))
    assert sum(len(shard.due_s) for shard in shards) == requests
    assert all(len(shard.client) == len(shard.target) for shard in shards)


@pytest.mark.parametrize(
    ("requests", "connections", "says"),
    [(3, 64, "too few requests for 4 generators: 1 would"), (9, 3, "3 connections for 4 generators")],
)
def test_no_generator_goes_without(requests: int, connections: int, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        sharded(job(requests, connections), 4)


@given(records(), st.integers(1, 7))
def test_joining_is_the_inverse_of_sharding(whole: Records, parts: int) -> None:
    where = places(job(len(whole.due_s)), parts)
    again = joined([part(whole, n, parts) for n in range(parts)], where)
    for name in Records.__dataclass_fields__:
        assert getattr(again, name).dtype == getattr(whole, name).dtype
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))


def test_a_lost_shard_has_all_its_records() -> None:
    shards = sharded(job(10), 3)
    gone = lost(shards[1])
    assert gone.due_s.tolist() == [0.01, 0.04, 0.07]
    assert set(gone.fault.tolist()) == {Fault.LOST}
    assert np.isnan(gone.sent_s).all()
