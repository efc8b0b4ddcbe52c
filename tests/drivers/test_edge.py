"""The edge driver and the rendered edge, with a real haproxy."""

from __future__ import annotations

import http.client
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.drivers.edge import HaproxyEdge, over_tcp
from tasks.drivers.errors import HostUnreachable, ServiceFailed
from tests.drivers.real_edge import Running, free_port, running_edge

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Running]:
    with running_edge(tmp_path) as running:
        yield running


@pytest.mark.parametrize(("share", "low", "high"), [(0, 0, 0), (1, 1, 40), (50, 400, 600), (100, 1000, 1000)])
def test_the_share_decides_per_request(edge: Running, share: int, low: int, high: int) -> None:
    edge.edge.shift({"source": 100 - share, "target": share})
    assert edge.edge.weights() == {"source": 100 - share, "target": share}
    answers = Counter(edge.ask()[1] for _ in range(1000))
    assert low <= answers["target"] <= high
    assert sum(answers.values()) == 1000
    counted = edge.edge.counters()
    assert counted["target"]["requests"] == answers["target"]
    assert counted["source"]["requests"] == answers["source"]
    assert counted["source"]["errors"] == 0


def test_shares_that_do_not_add_up_are_refused(edge: Running) -> None:
    with pytest.raises(ValueError, match="add up to 100"):
        edge.edge.shift({"source": 50, "target": 40})
    with pytest.raises(ValueError, match="add up to 100"):
        edge.edge.shift({"target": 100})
    assert edge.edge.weights() == {"source": 100, "target": 0}


def test_a_hold_delays_writes_only_and_loses_none(edge: Running) -> None:
    results: list[tuple[str, int, float]] = []

    def ask(method: str) -> None:
        status, _, seconds = edge.ask(method, "/checkout", b"x=1" if method == "POST" else None)
        results.append((method, status, seconds))

    edge.edge.hold_writes(True)
    assert edge.edge.writes_held()
    threads = [threading.Thread(target=ask, args=("POST" if n % 2 else "GET",)) for n in range(100)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    assert edge.edge.writes_in_flight() == 0
    assert len(results) == 50
    edge.edge.hold_writes(False)
    for thread in threads:
        thread.join(10)
    assert [status for _, status, _ in results] == [200] * 100
    assert max(seconds for method, _, seconds in results if method == "GET") < 0.7
    assert min(seconds for method, _, seconds in results if method == "POST") > 0.7
    assert max(seconds for method, _, seconds in results if method == "POST") < 2.0


def test_a_hold_ends_at_its_longest(tmp_path: Path) -> None:
    with running_edge(tmp_path, hold_max_s=1) as edge:
        edge.edge.hold_writes(True)
        status, _, seconds = edge.ask("POST", "/cart", b"y")
        assert status == 200
        assert 0.9 < seconds < 1.6


def test_writes_in_flight_are_those_not_answered(edge: Running) -> None:
    edge.source.server.write_s = 0.6  # type: ignore[attr-defined]  # read by the handler
    threads = [threading.Thread(target=edge.ask, args=("POST", "/cart", b"z")) for _ in range(5)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert edge.edge.writes_in_flight() == 5
    for thread in threads:
        thread.join(10)
    time.sleep(0.1)
    assert edge.edge.writes_in_flight() == 0


def test_changes_under_load_fail_no_request(edge: Running) -> None:
    statuses: Counter[int] = Counter()
    stop = threading.Event()

    def load(method: str) -> None:
        while not stop.is_set():
            statuses[edge.ask(method, "/", b"q" if method == "POST" else None)[0]] += 1

    threads = [threading.Thread(target=load, args=(method,)) for method in ("GET", "GET", "POST")]
    for thread in threads:
        thread.start()
    for share in (1, 10, 50, 100, 0):
        edge.edge.shift({"source": 100 - share, "target": share})
        edge.edge.hold_writes(True)
        time.sleep(0.1)
        edge.edge.hold_writes(False)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert set(statuses) == {200}
    assert statuses[200] > 100


def test_a_dead_far_side_falls_back_home_and_is_counted(edge: Running) -> None:
    edge.edge.shift({"source": 0, "target": 100})
    assert edge.ask()[1] == "target"
    edge.target.close()
    answers = [edge.ask()[:2] for _ in range(50)] + [edge.ask("POST", "/", b"1")[:2]]
    assert set(answers) == {(200, "source")}
    counted = edge.edge.counters()["target"]
    assert counted["fallbacks"] >= 50
    assert counted["servers_up"] == 0
    assert counted["servers"] == 1


def test_a_dead_home_side_is_an_error(edge: Running) -> None:
    edge.source.close()
    assert edge.ask()[0] == 503
    assert edge.edge.counters()["source"]["errors"] == 1


def test_a_relayed_request_stays_home(tmp_path: Path) -> None:
    with running_edge(tmp_path, home="target") as edge:
        assert edge.ask()[1] == "source"
        headers = edge.ask(path="/headers")[1].lower()
        assert "x-safe-harbor-edge: edge" in headers
        assert "x-forwarded-for: 127.0.0.1" in headers
        connection = http.client.HTTPConnection("127.0.0.1", edge.port)
        connection.request("GET", "/", headers={"X-Safe-Harbor-Edge": "other"})
        assert connection.getresponse().read() == b"target"


def test_the_access_log_is_combined_like(edge: Running) -> None:
    edge.ask(path="/search?q=a%20b")
    time.sleep(0.2)
    line = next(line for line in edge.log.read_text().splitlines() if "/search" in line)
    assert line.startswith("127.0.0.1 - - [")
    assert '"GET /search?q=a%20b HTTP/1.1" 200 ' in line
    assert line.endswith(" source/s1")


def test_an_edge_that_is_not_there_is_named() -> None:
    port = free_port()
    with pytest.raises(HostUnreachable, match=f"127.0.0.1:{port}"):
        HaproxyEdge("edge", over_tcp("127.0.0.1", port)).weights()


def test_another_haproxy_is_not_taken_for_an_edge() -> None:
    with pytest.raises(ServiceFailed, match="no map"):
        HaproxyEdge("edge", lambda line: "# id (file) description\n").weights()
