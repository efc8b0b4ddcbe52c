"""A pod that closes its port at SIGTERM is told from one that waits until nobody asks it any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inventory.models.verdict import Verdict
from tasks.checks.workload import wl_grace
from tests.checks.workload.test_workload import container, deployment, service, verdicts

SUBJECT = "deployment/shop/shop"


def sleeping(seconds: int) -> dict[str, Any]:
    return {"preStop": {"sleep": {"seconds": seconds}}}


@pytest.mark.parametrize(
    ("lifecycle", "grace_s", "expected"),
    [
        (None, 30, Verdict.WARN),
        (sleeping(3), 30, Verdict.PASS),
        (sleeping(1), 30, Verdict.WARN),
        (sleeping(3), 3, Verdict.WARN),
        ({"preStop": {"exec": {"command": ["drain"]}}}, 30, Verdict.PASS),
        ({"preStop": {"exec": {"command": ["drain"]}}}, 0, Verdict.WARN),
        ({"postStart": {"exec": {"command": ["load"]}}}, 30, Verdict.WARN),
    ],
)
def test_a_pre_stop_that_lasts_is_asked_for(
    tmp_path: Path, lifecycle: Any, grace_s: int, expected: Verdict
) -> None:
    made = deployment(container(lifecycle=lifecycle))
    made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = grace_s
    assert verdicts(wl_grace.CHECK, tmp_path, Deployment=[made]) == {SUBJECT: expected}


def test_only_what_a_service_sends_to_is_asked(tmp_path: Path) -> None:
    made = deployment(container(lifecycle=None))
    found = verdicts(
        wl_grace.CHECK, tmp_path, Deployment=[made], Service=[service(selector={"app": "other"})]
    )
    assert found == {SUBJECT: Verdict.PASS}


def test_the_container_with_the_port_is_the_one(tmp_path: Path) -> None:
    sidecar = container(name="log", ports=None, lifecycle=None)
    found = verdicts(wl_grace.CHECK, tmp_path, Deployment=[deployment(container(), sidecar)])
    assert found == {SUBJECT: Verdict.PASS}
