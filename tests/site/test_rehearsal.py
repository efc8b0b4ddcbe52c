"""The main job as a user starts it: the whole exit, its two faults, and the way back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inventory.load import load_site
from inventory.models.site import Site
from rehearsal.customers_process import Customers
from rehearsal.faults import SLOWED_BY_MS, slow_down
from rehearsal.plan import Plan
from rehearsal.witness import customers_saw
from tasks.drivers.clock import SystemClock
from tasks.steps.drivers import Drivers
from tests.site.snapshot import differences, snapshot

pytestmark = [pytest.mark.site, pytest.mark.slow, pytest.mark.timeout(1200)]

COMMAND = Path(sys.executable).with_name("safe-harbor")
STAGES = [
    "survey",
    "plan",
    "prepare",
    "network",
    "move",
    "replay",
    "capacity",
    "gate",
    "approve",
    "cutover",
    "finalize",
]


def safe_harbor(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command; what it prints goes with the test's output."""
    done = subprocess.run(
        [COMMAND, *map(str, words)], capture_output=True, text=True, check=False, timeout=1100
    )
    sys.stderr.write(done.stderr)
    return done


def report_of(out: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def stage_of(out: Path, name: str) -> dict[str, Any]:
    stage: dict[str, Any] = json.loads((out / "stages" / f"{name}.json").read_text())
    return stage


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole rehearsal; the machine must be as it was before."""
    out = tmp_path_factory.mktemp("rehearsal") / "out"
    before = snapshot(Plan())
    done = safe_harbor("rehearse", "--out", out)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not differences(before, snapshot(Plan()))
    return out


def test_every_stage_is_in_the_report_and_passed(rehearsed: Path) -> None:
    report = report_of(rehearsed)
    assert report["verdict"] in ("pass", "warn")
    assert [stage["name"] for stage in report["stages"]][: len(STAGES)] == STAGES
    assert all(stage["verdict"] in ("pass", "warn") for stage in report["stages"])
    page = (rehearsed / "report.html").read_text()
    assert "<svg" in page
    assert 'src="http' not in page and 'href="http' not in page


def test_no_customer_noticed(rehearsed: Path) -> None:
    cutover = report_of(rehearsed)["cutover"]
    assert cutover["requests"] > 1000
    assert cutover["failed"] == 0
    assert cutover["orders_placed"] > 50
    assert (cutover["orders_lost"], cutover["orders_doubled"]) == (0, 0)
    assert 0 < cutover["write_freeze_s"] < 30


def test_both_data_planes_were_measured(rehearsed: Path) -> None:
    planes = report_of(rehearsed)["data_plane"]
    for mode in ("userspace", "iptables"):
        assert planes[mode]["requests_per_s"] > 0
        assert planes[mode]["cpu_us_per_request"] > 0


def test_the_report_shows_what_the_gate_stands_on(rehearsed: Path) -> None:
    report, page = report_of(rehearsed), (rehearsed / "report.html").read_text()
    latency, replay = report["latency"], report["replay"]
    rounds = json.loads((rehearsed / "rounds.json").read_text())

    numbers = {(each["round"], each["side"]) for each in replay["rounds"]}
    run = latency["looks"][-1]["rounds"]
    assert numbers == {(n, side) for n in range(1, run + 1) for side in ("source", "target")}
    (table,) = re.findall(r"<caption>Every round over all requests.*?</table>", page, re.S)
    assert table.count("<tr>") == 1 + len(numbers)

    assert latency["verdict"] == "pass"
    for name in ("p50", "p95", "p99"):
        bounds = latency["routes"]["*"][name]
        assert bounds["verdict"] == "pass"
        assert bounds["lower"] <= bounds["ratio"] <= bounds["upper"]
        assert f"{bounds['upper']:.3f}" in page
    assert "The looks that were taken" in page
    sides = {(row["route"], row["side"]) for row in replay["routes"]}
    assert {("*", "source"), ("*", "target")} < sides
    assert replay["answers"]["compared"] > 0
    assert replay["answers"]["different"] == 0
    assert "Whole answers, asked one by one" in page
    assert report["capacity"]["verdict"] == "pass"
    assert report["capacity"]["steps"]
    for caption in ("What the gate judged", "Every step of load", "Every route over all valid rounds"):
        assert f"<caption>{caption}" in page
    assert rounds["readings"] == stage_of(rehearsed, "replay")["figures"]["readings"]


def test_both_sides_were_read_around_every_round(rehearsed: Path) -> None:
    replay = report_of(rehearsed)["replay"]
    read = {(each["round"], each["side"]): each["machines"] for each in replay["readings"] if each["valid"]}
    assert set(read) == {(each["round"], each["side"]) for each in replay["rounds"]}
    for (_, side), machines in read.items():
        assert {each["part"] for each in machines} == {side, "generator"}
        nodes = [each for each in machines if each["part"] == side]
        assert len(nodes) == 3, machines  # the source's by probe pods: it has no SSH
        for machine in machines:
            assert machine["steal"] is not None, machine
            assert 0 < machine["cpu_busy"] <= 1
            assert machine["tcp_resent"] is not None
        assert {each["own_kernel"] for each in nodes} == {False if side == "target" else None}
    found = {f["subject"]: f for f in stage_of(rehearsed, "replay")["findings"] if f["code"] == "RPL-LOAD"}
    assert len(found) == 7
    assert {f["verdict"] for f in found.values()} <= {"pass", "warn"}  # steal is the machine's beneath
    assert not any("stolen" in reason for each in replay["discarded"] for reason in each["reasons"])


def test_the_replays_own_page_lies_beside_the_report(rehearsed: Path) -> None:
    page = (rehearsed / "replay.html").read_text()
    assert "<script" not in page
    assert "By percentile, both axes logarithmic." in page
    assert "rounds, shown end to end" in page
    assert 'href="replay.html"' in (rehearsed / "report.html").read_text()


def test_the_ledger_verifies_until_a_byte_is_changed(rehearsed: Path, tmp_path: Path) -> None:
    ledger = rehearsed / "ledger"
    assert safe_harbor("audit", "verify", ledger).returncode == 0
    copy = tmp_path / "ledger"
    copy.mkdir()
    for file in ledger.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
        (copy / file.name).chmod(file.stat().st_mode & 0o777)
    database = next(copy.glob("*.sqlite*"))
    content = bytearray(database.read_bytes())
    content[len(content) // 2] ^= 1
    database.write_bytes(content)
    assert safe_harbor("audit", "verify", copy).returncode == 4


def test_a_dead_edge_at_half_is_taken_back_within_ten_seconds(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = safe_harbor("rehearse", "--fault", "cutover", "--out", out)
    assert done.returncode == 1, done.stderr[-3000:]
    cutover = report_of(out)["cutover"]
    assert 0 < cutover["trouble_to_source_s"] < 10
    assert 0 < cutover["revert_s"] <= cutover["trouble_to_source_s"]
    assert (cutover["orders_lost"], cutover["orders_doubled"]) == (0, 0)
    steps = stage_of(out, "cutover")["figures"]["steps"]
    assert [step["percent"] for step in steps][-2:] == [50, 0]
    assert stage_of(out, "customers")["figures"]["primary"] == "source"


@pytest.fixture
def site_up(tmp_path: Path) -> Iterator[Path]:
    out = tmp_path / "out"
    try:
        done = safe_harbor("rehearse", "up", "--out", out)
        assert done.returncode == 0, done.stderr[-3000:]
        yield out
    finally:
        assert safe_harbor("rehearse", "down").returncode == 0


def test_a_slow_target_stops_at_the_gate_and_rollback_takes_every_order_home(site_up: Path) -> None:
    plan = Plan()
    second = safe_harbor("rehearse", "up")
    assert second.returncode == 3
    assert "safe-harbor rehearse down" in second.stderr

    assert safe_harbor("run", "rehearsal", "--until", "move").returncode == 0
    again = safe_harbor("prepare", "rehearsal", "--json")
    assert json.loads(again.stdout)["changes"] == 0
    again = safe_harbor("move", "rehearsal", "--json")
    assert json.loads(again.stdout)["changes"] == 0

    site = load_site(plan.site / "site.yaml")
    slow_down(site, SLOWED_BY_MS)
    assert safe_harbor("run", "rehearsal", "--resume", "--until", "approve").returncode == 1
    failed = {f["code"] for f in stage_of(site_up, "gate")["findings"] if f["verdict"] == "fail"}
    assert failed == {"LATENCY"}
    assert safe_harbor("cutover", "rehearsal").returncode == 1
    assert where_traffic_goes(site) == (site.source.edge.address, 0)

    slow_down(site, 0)
    # The stages are repeated: the last replay is of a slowed target.
    assert safe_harbor("replay", "rehearsal").returncode == 0
    assert safe_harbor("run", "rehearsal", "--resume", "--until", "approve").returncode == 0
    customers = Customers(plan, site_up / "customers.jsonl")
    with customers:
        customers.start()
        assert safe_harbor("cutover", "rehearsal").returncode == 0
        assert safe_harbor("rollback", "rehearsal").returncode == 0
    assert where_traffic_goes(site) == (site.source.edge.address, 0)
    drivers = Drivers(site)
    try:
        saw = customers_saw(plan, customers.log, drivers, SystemClock())
    finally:
        drivers.close()
    assert saw.figures["primary"] == "source"
    assert saw.figures["failed"] == 0
    assert (saw.figures["orders_lost"], saw.figures["orders_doubled"]) == (0, 0)
    assert saw.figures["orders_by_site"].get("oslo", 0) > 0
    assert safe_harbor("finalize", "rehearsal").returncode == 1


def where_traffic_goes(site: Site) -> tuple[str, int]:
    """The address that the name has, and the target's share (percent) at the source's edge."""
    drivers = Drivers(site)
    try:
        (address,) = drivers.dns().address(site.dns.name)[0]
        return address, drivers.source_edge().weights()["target"]
    finally:
        drivers.close()


def test_egress_was_observed_on_every_node_and_all_of_it_is_declared(rehearsed: Path) -> None:
    found = [each for each in report_of(rehearsed)["checks"] if each["code"] == "NET-01"]
    assert {each["subject"] for each in found} == {node.name for node in Plan().oslo_nodes}
    for each in found:
        assert each["observed"].startswith("1 samples over 0.0 days"), "a timer takes them for a week"
        assert " 0 undeclared" in each["observed"]
    kept = [json.loads(line) for line in (rehearsed / "residency" / "observations.jsonl").open()]
    assert all(row["egress"] is not None for row in kept), [row["unseen"] for row in kept]
