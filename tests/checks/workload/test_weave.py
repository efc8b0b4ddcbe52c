"""Weave Net on a source is named, with what leaving it means, and so is what it has left; plan shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inventory.load import load_site
from inventory.models.resource import Survey
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload
from tasks.checks.registry import judge
from tasks.checks.workload import wl_weave
from tasks.drivers.errors import Denied
from tasks.move.plan import draw_up
from tasks.move.plan_text import render
from tests.checks.workload.test_workload import FakeKube, findings
from tests.inventory.sites import changed, whole
from tests.survey.clock import StandingClock

META = {"namespace": "kube-system", "name": "weave-net"}


def daemon(*, encrypts: bool = False, policies: bool = True) -> dict[str, Any]:
    """As weave-daemonset-k8s-1.11.yaml of Weave Net 2.8.1 has it, as far as it is read."""
    weave = {"name": "weave", "image": "weaveworks/weave-kube:2.8.1", "env": [{"name": "HOSTNAME"}]}
    if encrypts:
        secret = {"secretKeyRef": {"name": "weave-passwd", "key": "weave-passwd"}}
        weave["env"] = [{"name": "WEAVE_PASSWORD", "valueFrom": secret}]
    npc = {"name": "weave-npc", "image": "weaveworks/weave-npc:2.8.1"}
    return {
        "metadata": META,
        "spec": {"template": {"spec": {"containers": [weave, npc] if policies else [weave]}}},
    }


def test_a_source_without_it_passes(tmp_path: Path) -> None:
    other = {"metadata": {"namespace": "kube-system", "name": "kube-proxy"}}
    kube = FakeKube({"DaemonSet": [other], "ConfigMap": [other]})
    (found,) = findings(wl_weave.CHECK, tmp_path, kube)
    assert (found.verdict, found.remedy) == (Verdict.PASS, "")


def test_a_source_that_runs_it_is_told_what_leaving_means(tmp_path: Path) -> None:
    kube = FakeKube({"DaemonSet": [daemon()], "ConfigMap": [{"metadata": META}]})
    (found,) = findings(wl_weave.CHECK, tmp_path, kube)
    assert found.verdict is Verdict.WARN
    assert (
        "(DaemonSet weave-net); with it go pod addresses, multicast: weaveworks/weave-kube:2.8.1"
        in found.observed
    )
    assert found.observed.endswith("it leaves ConfigMap kube-system/weave-net")
    for what in ("pods get addresses of 10.", "WL-POLICY", "WEAVE-*", "/var/lib/weave"):
        assert what in found.remedy
    assert "WEAVE_PASSWORD" not in found.remedy


@pytest.mark.parametrize("declared", [False, True])
def test_encryption_must_not_be_lost_unseen(tmp_path: Path, declared: bool) -> None:
    kube: Any = FakeKube({"DaemonSet": [daemon(encrypts=True, policies=False)]})
    file = whole(tmp_path)
    if declared:
        asked = "    network: {kind: flannel_wireguard, encrypted: true}\n    pod_cidr:"
        file = changed(tmp_path, "    pod_cidr:", asked)
    (found,) = judge([wl_weave.CHECK], Workload(load_site(file), kube, StandingClock()))
    assert ("it encrypts between nodes (WEAVE_PASSWORD)" in found.remedy) is not declared
    assert "WL-POLICY" not in found.remedy


def test_what_it_has_left_is_named_when_it_is_gone(tmp_path: Path) -> None:
    kube = FakeKube({"ServiceAccount": [{"metadata": META}]})
    (found,) = findings(wl_weave.CHECK, tmp_path, kube)
    assert (found.verdict, found.observed) == (
        Verdict.WARN,
        "Weave Net has run and has left ServiceAccount kube-system/weave-net",
    )


def test_an_api_that_does_not_show_it_is_an_error(tmp_path: Path) -> None:
    (found,) = findings(wl_weave.CHECK, tmp_path, FakeKube({"DaemonSet": Denied("source", "forbidden")}))
    assert found.verdict is Verdict.ERROR


def test_the_plan_shows_it(tmp_path: Path) -> None:
    found = findings(wl_weave.CHECK, tmp_path, FakeKube({"DaemonSet": [daemon()]}))
    surveyed = Survey(schema="safe-harbor/survey/v1", site="whole", observed_at="2026-11-23T11:00:00+00:00",
                      resources=(), coverage=())  # fmt: skip
    page = render(draw_up(load_site(whole(tmp_path)), surveyed, found, ()))
    (line,) = [line for line in page.splitlines() if "WL-WEAVE" in line]
    assert "Weave Net runs (DaemonSet weave-net); with it go pod addresses, multicast" in line
