"""The kernel profile: floors, exact values, what cannot be set here, and nothing the second time."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inventory.models.change import Change, PutFile
from inventory.models.tuning import HostSize
from inventory.profile import Profile
from inventory.profile_files import known_profiles, load_profile
from tasks.facts.contents import Content
from tasks.facts.sysctl import Setting
from tasks.operations import sysctl

PROFILES = {name: load_profile(name) for name in known_profiles()}
PROFILE = PROFILES["article-2016"]
SIZE = HostSize(2, 4 << 20, 110, 3)
ABSENT = {sysctl.PATH: Content(sysctl.PATH)}


def planned(*arguments: Any) -> list[Change]:
    return [noted.change for noted in sysctl.plan(*arguments)]


def live(value: str, *, writable: bool = True, profile: Profile = PROFILE) -> dict[str, Setting]:
    return {key: Setting(key, value, writable) for key in profile.keys}


def after(
    profile: Profile, settings: dict[str, Setting], size: HostSize
) -> tuple[dict[str, Setting], dict[str, Content]]:
    """The host after its plan was applied."""
    changes = planned("oslo-1", profile, settings, ABSENT, size)
    new = {change.subject.removeprefix("sysctl "): change.after for change in changes}
    written = sysctl.wanted(profile, settings, size)
    file = {sysctl.PATH: Content(sysctl.PATH, written.content, written.mode)}
    return {
        key: Setting(key, new.get(key, setting.value), setting.writable) for key, setting in settings.items()
    }, file


@given(st.sampled_from(sorted(PROFILES)), st.integers(0, 10**7), st.integers(1, 256), st.booleans())
def test_a_floor_never_lowers_and_the_second_plan_is_empty(
    name: str, value: int, processors: int, writable: bool
) -> None:
    profile = PROFILES[name]
    size = HostSize(processors, 4 << 20, 110, 3)
    settings = live(str(value), writable=writable, profile=profile)
    reached, file = after(profile, settings, size)
    for rule in profile.sysctls:
        if rule.exact is None and reached[rule.key].value is not None:
            assert int(reached[rule.key].value or 0) >= value
            if writable:
                assert int(reached[rule.key].value or 0) >= rule.floor_for(size)
    assert planned("oslo-1", profile, reached, file, size) == []


def test_a_floor_of_each_processor_counts() -> None:
    changes = planned("oslo-1", PROFILE, live("1"), ABSENT, HostSize(16, 4 << 20, 110, 3))
    values = {change.subject: change.after for change in changes}
    assert values["sysctl net.netfilter.nf_conntrack_max"] == str(16 * 32768)
    assert values["sysctl net.ipv4.neigh.default.gc_thresh3"] == "4096"


def test_the_file_keeps_a_higher_value_over_a_reboot() -> None:
    text = sysctl.wanted(PROFILE, live("9999999"), SIZE).content.decode()
    assert "net.netfilter.nf_conntrack_max = 9999999\n" in text
    assert "net.ipv4.ip_forward = 1\n" in text


def test_what_cannot_be_set_is_written_to_the_file_and_not_set_live() -> None:
    settings = live("1", writable=False) | {
        "net.ipv4.neigh.default.gc_thresh1": Setting("net.ipv4.neigh.default.gc_thresh1", None, False)
    }
    changes = planned("oslo-1", PROFILE, settings, ABSENT, SIZE)
    assert [change.subject for change in changes] == [f"file {sysctl.PATH}"]
    (put,) = changes[0].apply
    assert isinstance(put, PutFile)
    assert b"net.ipv4.neigh.default.gc_thresh1 = 1024\n" in put.content
    stuck = [rule.key for rule, _ in sysctl.differing(PROFILE, settings, SIZE)]
    assert "net.ipv4.neigh.default.gc_thresh1" in stuck


def test_a_change_goes_back_to_what_was_there() -> None:
    change = next(
        change
        for change in planned("oslo-1", PROFILE, live("0"), ABSENT, SIZE)
        if change.subject == "sysctl net.ipv4.ip_forward"
    )
    assert str(change.apply[0].command) == "sysctl -q -w net.ipv4.ip_forward=1"  # type: ignore[union-attr]  # a Run
    assert str(change.undo[0].command) == "sysctl -q -w net.ipv4.ip_forward=0"  # type: ignore[union-attr]  # a Run
    assert str(change).startswith("oslo-1: sysctl net.ipv4.ip_forward: 0 -> 1 (")
