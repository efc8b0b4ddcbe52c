"""The deep rehearsal as a user starts it; this machine is afterwards as it was before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal import deep
from tests.site.snapshot import differences, snapshot

pytestmark = [pytest.mark.deep, pytest.mark.slow, pytest.mark.timeout(6000)]
COMMAND = Path(sys.executable).with_name("safe-harbor")


def test_machines_are_made_prepared_rebooted_and_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan = deep.plan()
    before = snapshot(plan)
    done = subprocess.run(
        [COMMAND, "rehearse", "--deep", "--json", "--out", out],
        capture_output=True,
        text=True,
        check=False,
        timeout=5900,
    )
    sys.stderr.write(done.stderr)
    assert done.returncode == 0, done.stderr[-3000:]
    results = {result["name"]: result for result in json.loads(done.stdout)}
    made = results["provision"]
    assert sorted(made["figures"]["machines"].values()) == ["kvm-1", "kvm-2"]
    assert set(made["figures"]["usable_s"]) == {node.name for node in plan.oslo_nodes}
    assert set(results["ready"]["figures"]["ready_after_s"]) == {node.name for node in plan.oslo_nodes}
    assert results["provision, again"]["changes"] == 0
    assert results["prepare, after the reboot"]["changes"] == 0
    assert results["network, after the reboot"]["changes"] == 0
    proved = {finding["code"]: finding["verdict"] for finding in results["network"]["findings"]}
    assert proved["PATH-PODS"] == "pass", "through WireGuard"
    matrix = json.loads((out / "fault-matrix.json").read_text())
    assert [row["fault"] for row in matrix["rows"] if row["named"] != [row["primary"]]] == []
    assert "neighbour-overflow" in [row["fault"] for row in matrix["rows"]]
    assert "kernel 6." in results["reboot"]["findings"][0]["observed"]
    assert results["provision, removed"]["changes"] == 2
    assert differences(before, snapshot(plan)) == {}
