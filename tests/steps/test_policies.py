"""A stage stops before its first effect where the target's network would ignore a policy."""

from __future__ import annotations

from datetime import date

import pytest

from inventory.models.finding import Waiver
from inventory.models.verdict import Verdict
from tasks.steps import move, network
from tasks.steps.stage import StageRefused, stage
from tasks.steps.workplace import Workplace
from tests.steps.conftest import subjects
from tests.steps.fakes import World

POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "shop"},
    "spec": {"podSelector": {}},
}


def test_a_policy_stops_it_before_anything_is_copied(place: Workplace, world: World) -> None:
    world.source_kube.apply(POLICY)
    with (
        pytest.raises(StageRefused, match="WL-POLICY networkpolicy/shop/deny: flannel_vxlan would take it"),
        stage("move") as draft,
    ):
        move.judge_policies.fn(draft)
        pytest.fail("the stage goes on")
    assert subjects(place, "move/", "host/") == []


def test_a_network_that_would_take_away_a_policys_effect_is_not_raised(
    place: Workplace, world: World
) -> None:
    world.kube.apply(POLICY)
    with (
        pytest.raises(
            StageRefused, match="NP-ENFORCED networkpolicy/shop/deny: flannel_vxlan enforces nothing"
        ),
        stage("network") as draft,
    ):
        network.judge_policies.fn(draft)
        pytest.fail("the stage goes on")
    assert subjects(place, "host/") == []


def test_a_waiver_by_name_lets_it_go_on_and_is_shown(place: Workplace, world: World) -> None:
    world.source_kube.apply(POLICY)
    waiver = Waiver(
        check="WL-POLICY",
        subject="networkpolicy/shop/deny",
        reason="the firewall in front does the same",
        approver="Kari",
        expires=date(2999, 1, 1),
    )
    place.site = place.site.model_copy(update={"waivers": (waiver,)})
    with stage("move") as draft:
        move.judge_policies.fn(draft)
    assert draft.result.verdict is Verdict.WARN
    assert subjects(place, "WL-POLICY") == ["waiver WL-POLICY/networkpolicy/shop/deny"]


@pytest.mark.usefixtures("place")
def test_without_a_policy_it_goes_on() -> None:
    with stage("move") as draft:
        move.judge_policies.fn(draft)
    assert draft.result.verdict is Verdict.PASS
