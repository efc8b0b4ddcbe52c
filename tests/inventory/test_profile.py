"""Kernel profiles: those that are there, their laws and inheritance, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.errors import BadInput
from inventory.load import load_site
from inventory.models.tuning import HostSize, Law, LinkSetting, Rule
from inventory.profile import Profile
from inventory.profile_files import known_profiles, load_profile
from tests.inventory.sites import changed, refusal, whole

GOOD = """schema: safe-harbor/profile/v1
name: test
about: a profile for a test
modules: [overlay]
sysctls:
  - {key: net.ipv4.ip_forward, exact: "1", why: a node forwards, source: the test}
"""
CHILD = """schema: safe-harbor/profile/v1
name: child
about: a profile for a test
extends: test
"""
GIB = 1 << 20
PROFILES = {name: load_profile(name) for name in known_profiles()}
SMALL = HostSize(processors=2, memory_kib=2 * GIB, pods=110, nodes=3)
LARGE = HostSize(processors=64, memory_kib=256 * GIB, pods=250, nodes=40)


def own(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def message(folder: Path, name: str = "test") -> str:
    with pytest.raises(BadInput) as refused:
        load_profile(name, folder)
    return str(refused.value).replace(f"{folder}/", "")


def test_the_three_profiles_are_there_and_each_extends_the_one_before() -> None:
    assert list(known_profiles()) == ["article-2016", "large", "web"]
    article, web, large = (load_profile(name) for name in ("article-2016", "web", "large"))
    assert set(article.keys) < set(web.keys) < set(large.keys)
    assert article.modules == web.modules == large.modules


def test_the_article_is_followed_to_the_number() -> None:
    rules = {rule.key: rule for rule in load_profile("article-2016").sysctls}
    assert rules["net.ipv4.ip_forward"].exact == "1"
    assert rules["net.bridge.bridge-nf-call-iptables"].exact == "1"
    floors = [rules[f"net.ipv4.neigh.default.gc_thresh{number}"].floor for number in (1, 2, 3)]
    assert floors == [1024, 2048, 4096]


@pytest.mark.parametrize("name", PROFILES)
@settings(deadline=None)
@given(st.integers(1, 256), st.integers(1, 4096), st.integers(1, 500), st.integers(1, 5000))
def test_what_belongs_together_fits_on_any_host(
    name: str, processors: int, memory_gib: int, pods: int, nodes: int
) -> None:
    size = HostSize(processors, memory_gib * GIB, pods, nodes)
    profile = PROFILES[name]
    rules = {rule.key: rule for rule in profile.sysctls}
    thresholds = [rules[f"net.ipv4.neigh.default.gc_thresh{n}"].floor_for(size) for n in (1, 2, 3)]
    assert thresholds == sorted(set(thresholds))
    if name != "article-2016":
        assert thresholds[2] >= 2 * (pods + nodes)  # check DP-NEIGH
    (hashsize,) = profile.module_options
    assert rules["net.netfilter.nf_conntrack_max"].floor_for(size) == 4 * hashsize.floor_for(size)


def test_a_value_follows_the_host() -> None:
    rules = {rule.key: rule for rule in load_profile("large").sysctls}
    conntrack = rules["net.netfilter.nf_conntrack_max"]
    assert conntrack.floor_for(LARGE) == 64 * 131072
    assert conntrack.floor_for(SMALL) == 2 * 262144  # what 2 GiB bear, not the 1048576 of the floor
    assert rules["kernel.pid_max"].floor_for(LARGE) == 250 * 1024


def test_the_same_memory_shown_by_another_kernel_is_the_same_size() -> None:
    assert HostSize(1, 16_331_148, 1, 1).memory_gib == HostSize(1, 16_384_000, 1, 1).memory_gib == 16
    assert HostSize(1, 300_000, 1, 1).memory_gib == 1


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_floor_never_lowers(floor: int, live: int) -> None:
    law = Rule(key="net.x", floor=floor, why="because", source="the test")
    target = law.target(SMALL, str(live))
    assert int(target) == max(floor, live)
    assert law.holds(SMALL, target)
    assert law.target(SMALL, "infinity") == "infinity"


def test_a_missing_value_does_not_hold() -> None:
    assert not Rule(key="net.x", exact="1", why="because", source="the test").holds(SMALL, None)
    with pytest.raises(ValueError, match=r"net\.x has no floor"):
        Rule(key="net.x", exact="1", why="because", source="the test").floor_for(SMALL)
    with pytest.raises(NotImplementedError):
        _ = Law(exact="1", why="because", source="the test").identity


# -- inheritance --------------------------------------------------------------------------------------------


def test_a_child_replaces_in_place_adds_at_the_end_and_drops(tmp_path: Path) -> None:
    text = CHILD.replace("extends: test", "extends: web\ndrops: [vxlan, net.core.somaxconn, ring-rx]") + (
        "modules: [wireguard, overlay]\n"
        "sysctls:\n"
        '  - {key: net.ipv4.ip_forward, exact: "0", why: another, source: the test}\n'
        "  - {key: net.new, floor: 1, why: a new one, source: the test}\n"
    )
    web, child = load_profile("web"), load_profile("child", own(tmp_path, child=text))
    assert child.modules == ("br_netfilter", "nf_conntrack", "wireguard", "overlay")
    assert child.keys == (*(key for key in web.keys if key != "net.core.somaxconn"), "net.new")
    assert child.sysctls[0].exact == "0"
    assert [each.name for each in child.links] == ["rps-cpus", "channels-combined", "irq-affinity"]
    assert child.limits == web.limits


@pytest.mark.parametrize(
    ("files", "name", "expected"),
    [
        ({"child": CHILD.replace("test", "wep")}, "child",
         "child.yaml:4:10: extends: there is no kernel profile 'wep'; did you mean web? "
         "(known: article-2016, child, large, web)"),
        ({"child": CHILD, "test": GOOD + "extends: child\n"}, "child",
         "test.yaml:7:10: extends: the profiles extend one another in a circle: child -> test -> child"),
        ({"child": CHILD.replace("extends: test", "extends: child")}, "child",
         "child.yaml:4:10: extends: the profiles extend one another in a circle: child -> child"),
        ({"child": CHILD + "drops: [net.x]\n", "test": GOOD}, "child",
         "child.yaml:5:8: drops: test has no net.x to drop"),
        ({"other": GOOD}, "other",
         "other.yaml:2:7: name: test is not the file's name other: make them the same"),
        ({"web": GOOD}, "web",
         "web.yaml:2:7: name: web is a profile that comes with the project: take another"),
    ],
)  # fmt: skip
def test_inheritance_that_does_not_hold(
    tmp_path: Path, files: dict[str, str], name: str, expected: str
) -> None:
    assert message(own(tmp_path, **files), name) == expected


def test_an_unknown_profile_lists_the_known() -> None:
    with pytest.raises(BadInput, match=r"no kernel profile 'fast' .known: article-2016, large, web"):
        load_profile("fast")


# -- one file -----------------------------------------------------------------------------------------------

LINK = "links: [{name: ring-rx, floor: 1, why: because, source: the test}]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "extra: 1\n", r"test\.yaml:7:1: unknown key extra .known: schema, name, about, extends"),
        (GOOD.replace('exact: "1"', 'exact: "1", floor: 3'), r"yaml:6:5: sysctls\[0\]: give either exact or"),
        (GOOD.replace('exact: "1", ', ""), r"yaml:6:5: sysctls\[0\]: give either exact or floor"),
        (GOOD.replace('exact: "1"', "floor: -1"), r"yaml:6:39: .*-1 is too small: the least is 0"),
        (GOOD.replace('exact: "1"', 'exact: "1", floor_per_gib: 3'), "floor_per_gib needs a floor"),
        (GOOD.replace(", source: the test", ""), r"yaml:6:5: missing key sysctls\[0\]\.source"),
        (GOOD + '  - {key: net.ipv4.ip_forward, exact: "0", why: twice, source: the test}\n', "stands twice"),
        (GOOD.replace("net.ipv4.ip_forward", "ip forward; reboot"), r"yaml:6:11: .*does not match"),
        (GOOD.replace('exact: "1"', 'exact: "1; reboot"'), r"yaml:6:39: .*does not match"),
        (GOOD.replace("modules: [overlay]", "modules: [overlay"), r"yaml:5:8: not YAML"),
        (GOOD.replace("modules: [overlay]\n", ""), "a profile that extends none needs modules and sysctls"),
        (GOOD + "drops: [overlay]\n", "drops needs a profile that is extended"),
        (GOOD + LINK.replace("floor: 1", 'exact: "1"'), "ring-rx has a floor, no exact value"),
        (GOOD + LINK.replace("ring-rx", "rps-cpus"), "rps-cpus is exactly spread or off"),
        (GOOD + LINK.replace("ring-rx, floor: 1", "feature-gro, exact: 'yes'"), "is exactly on or off"),
    ],
)  # fmt: skip
def test_a_wrong_profile_is_bad_input(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        load_profile("test", own(tmp_path, test=text))


def test_every_setting_names_its_reason_and_source() -> None:
    for name in known_profiles():
        profile = load_profile(name)
        laws = (*profile.sysctls, *profile.module_options, *profile.limits, *profile.units, *profile.links)
        assert all(law.why and law.source for law in laws)
        assert isinstance(profile, Profile)
    assert (
        LinkSetting(name="feature-gro", exact="on", why="because", source="the test").identity
        == "feature-gro"
    )


# -- a site's own -------------------------------------------------------------------------------------------


def test_a_site_folder_may_hold_profiles(tmp_path: Path) -> None:
    file = changed(tmp_path, "profile: article-2016", "profile: test")
    assert "there is no profile 'test'; known: article-2016, large, web" in refusal(file)
    own(tmp_path / "profiles", test=GOOD)
    site = load_site(file)
    assert site.profiles == tmp_path / "profiles"
    assert load_profile(site.profile, site.profiles).keys == ("net.ipv4.ip_forward",)


def test_a_site_without_profiles_of_its_own_has_none(tmp_path: Path) -> None:
    assert load_site(whole(tmp_path)).profiles is None
