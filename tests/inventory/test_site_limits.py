"""The named rules of a declaration: each breaks where it should, and a waiver of its name lets it through."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.load import load_site
from inventory.site_limits import ODD, OVERLAP, PODS, ROOM, RULES, Numbers, broken, overlapping
from tests.inventory.sites import WHOLE, changed, folder_with, refusal

GOOD = Numbers(3, 5, IPv4Network("10.244.0.0/16"), IPv4Network("10.96.0.0/16"), 24, 110)


@pytest.mark.parametrize(
    ("over", "rules"),
    [
        ({}, []),
        ({"planes": 1}, []),
        ({"planes": 2}, [ODD]),
        ({"planes": 0}, [ODD]),
        ({"max_pods": 254}, []),
        ({"max_pods": 255}, [PODS]),
        ({"subnet_len": 28, "max_pods": 14}, []),
        ({"nodes": 256}, []),
        ({"nodes": 257}, [ROOM]),
        ({"pod_cidr": IPv4Network("10.244.0.0/24")}, [ROOM]),
        ({"service_cidr": IPv4Network("10.96.0.0/28")}, []),
        ({"service_cidr": IPv4Network("10.96.0.0/29")}, [ROOM]),
    ],
)
def test_each_rule_by_example(over: dict[str, object], rules: list[str]) -> None:
    assert [each.rule for each in broken(replace(GOOD, **over))] == rules


@given(st.integers(16, 28), st.integers(8, 27), st.integers(1, 5000))
def test_room_is_what_kubespray_asserts(subnet_len: int, prefix: int, pods: int) -> None:
    numbers = replace(
        GOOD, pod_cidr=IPv4Network(f"0.0.0.0/{prefix}"), subnet_len=subnet_len, max_pods=pods, nodes=1
    )
    rules = {each.rule for each in broken(numbers)}
    assert (PODS in rules) is (pods > 2 ** (32 - subnet_len) - 2)
    assert (ROOM in rules) is (subnet_len <= prefix)


def test_networks_of_the_source_may_overlap_each_other_only() -> None:
    networks = {
        "source.networks[0]": IPv4Network("10.40.0.0/16"),
        "source.networks[1]": IPv4Network("10.40.1.0/24"),
        "target.underlay": IPv4Network("10.40.1.0/28"),
    }
    assert [each.what for each in overlapping(networks)] == [
        "source.networks[0] 10.40.0.0/16 overlaps target.underlay 10.40.1.0/28",
        "source.networks[1] 10.40.1.0/24 overlaps target.underlay 10.40.1.0/28",
    ]


EVEN = ("{name: oslo-2, address: 10.60.0.12}", "{name: oslo-2, address: 10.60.0.12, roles: [control-plane]}")
BROKEN = {
    ODD: (*EVEN, "site.yaml:26:5: target.nodes: 2 control-plane nodes: etcd needs an odd number, "
          "and at least one [PRE-ODD]"),
    PODS: (
        "programs: .",
        "programs: .\n    max_pods: 300",
        "site.yaml:38:15: target.cluster.max_pods: max_pods 300 do not fit a /24, which holds 254 [PRE-PODS]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", [ODD, PODS])
def test_a_broken_rule_is_refused_by_its_place_and_name(rule: str, tmp_path: Path) -> None:
    old, new, message = BROKEN[rule]
    assert refusal(changed(tmp_path, old, new)) == message


@pytest.mark.parametrize("subject", ["site", "*"])
def test_a_waiver_of_its_name_lets_it_through(subject: str, tmp_path: Path) -> None:
    waiver = (
        f"waivers:\n  - {{check: PRE-ODD, subject: '{subject}', reason: a test of two members, "
        "approver: Kari Nordmann, expires: 2020-01-01}\n"
    )
    text = WHOLE.read_text().replace(*EVEN) + waiver
    site = load_site(folder_with(tmp_path, text))  # that it has expired is for the preflight to say
    assert len([node for node in site.target.nodes if "control-plane" in node.roles]) == 2


def test_a_waiver_of_another_name_or_subject_does_not(tmp_path: Path) -> None:
    for check, subject in (("PRE-ROOM", "site"), ("PRE-ODD", "oslo-1")):
        waiver = (
            f"waivers:\n  - {{check: {check}, subject: {subject}, reason: a test of two members, "
            "approver: Kari Nordmann, expires: 2099-01-01}\n"
        )
        text = WHOLE.read_text().replace(*EVEN) + waiver
        assert "[PRE-ODD]" in refusal(folder_with(tmp_path / check, text))


def test_every_rule_is_told_in_words() -> None:
    assert set(RULES) == {ODD, PODS, ROOM, OVERLAP}
