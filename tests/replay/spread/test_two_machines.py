"""The whole: a replay by four generators on two machines (network namespaces), over TLS."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hdrh.histogram import HdrHistogram

from rehearsal.netns import ip
from tasks.replay.records import Fault, Records
from tests.replay.certificates import self_signed
from tests.replay.spread.machines import CLOCK_AHEAD, HERE, THERE, Cluster, namespaces

pytestmark = [pytest.mark.site, pytest.mark.slow]
WORKERS = {"a1": HERE, "a2": HERE, "b1": THERE, "b2": THERE}
RATE_RPS = 200
ENDS_WITHIN_S = 90


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("dask")
    cluster = Cluster(folder, self_signed(folder / "cluster.pem", "cluster"))
    with namespaces():
        try:
            cluster.start_scheduler()
            cluster.start_workers(**WORKERS)
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> str:
    return cluster.start_server()


@pytest.fixture
def asked(cluster: Cluster, shop: str, tmp_path: Path) -> list[object]:
    """The arguments of a run of 201 lines, of which one cannot be replayed."""
    log = tmp_path / "access.log"
    requests = [*["GET /noise"] * 100, "POST /cart", *["GET /noise"] * 100]
    log.write_text(
        "".join(
            f'203.0.113.5 - - [04/Oct/2015:13:55:36 +0200] "{request} HTTP/1.1" 200 5 "-" "-"\n'
            for request in requests
        )
    )
    return [
        *("--capture", log, "--target", shop, "--allow", "10.99.7.0/24", "--rate", RATE_RPS),
        *("--out", tmp_path / "out", "--spread", cluster.scheduler, *cluster.tls),
    ]


def ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = run.communicate(timeout=ENDS_WITHIN_S)
    return run.returncode, err


def result_in(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "out" / "result.json").read_text())
    return result


def under_way(cluster: Cluster, run: subprocess.Popen[str], worker: str) -> None:
    """Returns when the generators have been loading for about 3 s."""
    before, until = cluster.looks(worker), time.monotonic() + ENDS_WITHIN_S
    while cluster.looks(worker) < before + 8:  # five of them wait for the shared start
        assert run.poll() is None, ended(run)
        assert time.monotonic() < until
        time.sleep(0.1)


def test_four_generators_make_one_run(cluster: Cluster, asked: list[object], tmp_path: Path) -> None:
    run = cluster.replay(*asked, "--duration", 6, "--generators", 4)
    out, err = run.communicate(timeout=ENDS_WITHIN_S)
    assert err == ""
    assert f"spread    4 generators on {socket.gethostname()}, clocks within " in out
    result = result_in(tmp_path)
    # A busy machine is late now and then, and then has to say so; nothing else may be wrong.
    assert all("lateness p99" in reason for reason in result["reasons"])
    assert (run.returncode, result["valid"]) == ((1, False) if result["reasons"] else (0, True))
    assert result["reconciliation"] == "1206 records = 1200 done + 0 errors + 6 skipped + 0 unsent"
    spread = result["spread"]
    assert (spread["scheduler"], spread["encrypted"]) == (cluster.scheduler, True)
    rows = spread["generators"]
    assert [row["planned"] for row in rows] == [row["done"] for row in rows] == [300] * 4
    assert {row["address"].split(":")[1] for row in rows} == {"//10.99.7.1", "//10.99.7.2"}
    assert all(abs(row["clock_offset_ms"]) + row["clock_error_ms"] <= 5 for row in rows)
    assert result["generator_cpu"] == max(row["generator_cpu"] for row in rows)

    histogram = HdrHistogram.decode((tmp_path / "out" / "response.hlog").read_text().split(",")[-1].strip())
    records = Records.load(tmp_path / "out" / "records.npz")
    response_ms = np.sort(records.done_s - records.due_s) * 1000
    assert histogram.get_total_count() == len(response_ms) == 1200
    assert result["response_ms"]["p99"] == pytest.approx(response_ms[1187], rel=1e-2)
    assert records.due_s == pytest.approx(np.arange(1200) / RATE_RPS, abs=1e-6)

    # The shop numbers its answers: they came in the order of the schedule, so all started together.
    number = {xxhash.xxh3_64_intdigest(b"%d" % n): n for n in range(1200)}
    came = np.array([number[digest] for digest in records.body_hash.tolist()])
    assert np.median(np.abs(came - np.arange(1200))) <= 0.02 * RATE_RPS  # 20 ms


def test_a_clock_that_is_off_is_refused(cluster: Cluster, asked: list[object], tmp_path: Path) -> None:
    [ahead] = cluster.start_workers("--preload", str(CLOCK_AHEAD), b3=THERE)
    try:
        code, err = ended(cluster.replay(*asked, "--duration", 6))
        assert code == 3
        assert "(tls://10.99.7.2:" in err, err
        assert "its clock is +20." in err or "its clock is +19." in err
        assert "more than 5: have both follow the same NTP servers" in err
        assert not (tmp_path / "out").exists()
        code, err = ended(cluster.replay(*asked, "--generators", 4))
        assert code == 3
        assert "5 generators are there" in err
    finally:
        ahead.kill()
        ahead.wait()


def test_who_is_not_let_in(cluster: Cluster, asked: list[object], tmp_path: Path) -> None:
    without_tls = [each for each in asked if not str(each).startswith("--tls")]
    plain = [str(each).replace("tls://", "tcp://") for each in without_tls]
    code, err = ended(cluster.replay(*plain))
    assert (code, "whoever reaches it runs code" in err) == (2, True), err
    code, err = ended(cluster.replay(*without_tls))
    assert (code, "wants --tls-ca-file FILE" in err) == (2, True), err
    stranger = self_signed(tmp_path / "stranger.pem", "stranger")
    code, err = ended(cluster.replay(*(str(each).replace(str(cluster.pem), str(stranger)) for each in asked)))
    assert (code, "no connection to the scheduler" in err) == (3, True), err
    assert not (tmp_path / "out").exists()


def test_ctrl_c_keeps_what_was_measured(cluster: Cluster, asked: list[object], tmp_path: Path) -> None:
    run = cluster.replay(*asked, "--duration", 20)
    under_way(cluster, run, "b1")
    run.send_signal(signal.SIGINT)
    code, _ = ended(run)
    assert code == 130
    result = result_in(tmp_path)
    assert result["interrupted"]
    assert not result["valid"]
    assert 0 < result["done"] < 4000
    assert result["done"] + result["errors"] + result["unsent"] == 4000
    assert all("stopped before its end: interrupted" in reason for reason in result["reasons"])


def test_a_lost_worker_voids_the_run(cluster: Cluster, asked: list[object], tmp_path: Path) -> None:
    [victim] = cluster.start_workers(b4=THERE)
    run = cluster.replay(*asked, "--duration", 20, "--generators", 5)
    under_way(cluster, run, "b4")
    tasks = Path(f"/proc/{victim.pid}/task").glob("*/children")
    [generator] = "".join(children.read_text() for children in tasks).split()
    victim.kill()
    victim.wait()
    code, _ = ended(run)
    assert code == 1
    result = result_in(tmp_path)
    assert not result["valid"]
    assert not result["interrupted"]
    assert "lost: its worker has left the scheduler" in result["reasons"][0]
    assert sum("another generator was lost" in reason for reason in result["reasons"][1:]) == 4
    assert result["faults"]["lost"] == 800
    assert result["done"] + result["errors"] + result["unsent"] == 4000
    assert result["done"] > 0
    assert result["unsent"] > 0
    [gone] = [row for row in result["spread"]["generators"] if row["lost"]]
    assert (gone["planned"], gone["errors"], gone["response_p99_ms"]) == (800, 800, None)
    assert (Records.load(tmp_path / "out" / "records.npz").fault == Fault.LOST).sum() == 800
    assert not Path(f"/proc/{generator}").exists()  # no load without somebody who waits for it


def test_a_machine_that_is_cut_off_voids_the_run(
    cluster: Cluster, asked: list[object], tmp_path: Path
) -> None:
    """The last test: the cable stays out. The scheduler does not notice; who looks does."""
    run = cluster.replay(*asked, "--duration", 30)
    under_way(cluster, run, "b1")
    ip("link", "set", "eth0", "down", netns=THERE)
    code, _ = ended(run)
    assert code == 1
    result = result_in(tmp_path)
    lost = [row for row in result["spread"]["generators"] if row["lost"]]
    assert {row["address"].split(":")[1] for row in lost} == {"//10.99.7.2"}
    assert result["faults"]["lost"] == sum(row["planned"] for row in lost) == 3000
    assert result["done"] + result["errors"] + result["unsent"] == 6000
    assert sum("does not answer (in 10 s)" in reason for reason in result["reasons"]) == 2
