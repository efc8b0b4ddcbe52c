"""The number of Services that move, and not of those that stay, decides whether nftables is offered."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.models.verdict import Verdict
from tasks.checks.workload import wl_scale
from tests.checks.workload.test_workload import FakeKube, findings, service


@pytest.mark.parametrize(
    ("namespace", "count", "expected"),
    [("shop", 1000, Verdict.PASS), ("shop", 1001, Verdict.WARN), ("reports", 1001, Verdict.PASS)],
)
def test_nftables_is_offered_for_many(tmp_path: Path, namespace: str, count: int, expected: Verdict) -> None:
    kube = FakeKube({"Service": [service(namespace)] * count})
    (found,) = findings(wl_scale.CHECK, tmp_path, kube)
    assert found.verdict is expected
    assert ("nftables" in found.remedy) is (expected is Verdict.WARN)
