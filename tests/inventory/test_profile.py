"""Kernel profiles: the ones that are there, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.profile import Rule, known, load_profile, read_profile

GOOD = """schema: safe-harbor/profile/v1
name: test
about: a profile for a test
modules: [overlay]
sysctls:
  - {key: net.ipv4.ip_forward, exact: "1", why: a node forwards}
"""


def test_the_three_profiles_are_there() -> None:
    assert known() == ("article-2016", "large", "web")
    for name in known():
        assert load_profile(name).name == name


def test_the_article_is_followed_to_the_number() -> None:
    rules = {rule.key: rule for rule in load_profile("article-2016").sysctls}
    assert rules["net.ipv4.ip_forward"].exact == "1"
    assert rules["net.bridge.bridge-nf-call-iptables"].exact == "1"
    floors = [rules[f"net.ipv4.neigh.default.gc_thresh{number}"].floor for number in (1, 2, 3)]
    assert floors == [1024, 2048, 4096]


@pytest.mark.parametrize("name", known())
def test_neighbour_thresholds_rise(name: str) -> None:
    rules = {rule.key: rule for rule in load_profile(name).sysctls}
    floors = [rules[f"net.ipv4.neigh.default.gc_thresh{number}"].floor or 0 for number in (1, 2, 3)]
    assert floors == sorted(set(floors))


def test_an_unknown_profile_lists_the_known() -> None:
    with pytest.raises(BadInput, match="no kernel profile is called 'fast'; known: article-2016, large, web"):
        load_profile("fast")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("name: test", "name: test\nextra: 1"), r"p\.yaml: extra: Extra inputs"),
        (GOOD.replace('exact: "1"', 'exact: "1", floor: 3'), "give either exact or floor"),
        (GOOD.replace('exact: "1", ', ""), "give either exact or floor"),
        (GOOD.replace('exact: "1"', "floor: -1"), "greater than or equal to 0"),
        (GOOD + '  - {key: net.ipv4.ip_forward, exact: "0", why: twice}\n', "stands twice"),
        (GOOD.replace("net.ipv4.ip_forward", "ip forward; reboot"), "should match pattern"),
        (GOOD.replace("modules: [overlay]", "modules: [overlay"), r"p\.yaml:5: not YAML"),
    ],
)
def test_a_wrong_profile_is_bad_input(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_profile(text, Path("p.yaml"))


def test_an_exact_rule_has_no_floor() -> None:
    with pytest.raises(ValueError, match="has no floor"):
        Rule(key="net.x", exact="1", why="because").floor_for(2)
