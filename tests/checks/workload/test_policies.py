"""A NetworkPolicy moves only to a network that enforces it; elsewhere it is named, never ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inventory.load import load_site
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload
from tasks.checks.registry import judge
from tasks.checks.workload import wl_policy
from tasks.drivers.errors import Denied
from tests.checks.workload.test_workload import FakeKube
from tests.inventory.sites import whole
from tests.survey.clock import StandingClock


def policy(namespace: str, name: str = "deny") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"podSelector": {}}}


def findings(folder: Path, policies: Any, *, enforced: bool) -> list[Finding]:
    kube = FakeKube({"NetworkPolicy": policies})
    context = Workload(load_site(whole(folder)), kube, StandingClock(), enforced)  # type: ignore[arg-type] # as far as used
    return judge([wl_policy.CHECK], context)


@pytest.mark.parametrize(("enforced", "expected"), [(False, Verdict.FAIL), (True, Verdict.PASS)])
def test_a_policy_that_moves_needs_a_network_that_enforces_it(
    tmp_path: Path, enforced: bool, expected: Verdict
) -> None:
    (found,) = findings(tmp_path, [policy("shop")], enforced=enforced)
    assert (found.subject, found.verdict) == ("networkpolicy/shop/deny", expected)
    assert found.evidence
    assert ("calico" in found.remedy) is not enforced


def test_one_that_stays_is_shown(tmp_path: Path) -> None:
    ours, other = findings(tmp_path, [policy("reports")], enforced=False)
    assert (ours.verdict, other.verdict) == (Verdict.PASS, Verdict.WARN)
    assert "reports/deny" in other.observed


def test_no_policy_passes_and_none_shown_is_an_error(tmp_path: Path) -> None:
    assert [each.verdict for each in findings(tmp_path, [], enforced=False)] == [Verdict.PASS]
    denied = findings(tmp_path, Denied("source", "forbidden"), enforced=False)
    assert [each.verdict for each in denied] == [Verdict.ERROR]
