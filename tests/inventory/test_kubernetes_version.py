"""The version skew policy and the steps of an upgrade, by the policy's own examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.kubernetes_version import Part, Version, refused_upgrade, skewed

VERSIONS = st.builds(Version, st.just(1), st.integers(20, 60), st.integers(0, 30))


def part(component: str, version: str, subject: str = "oslo-1") -> Part:
    return Part(component, subject, Version.of(version))


@pytest.mark.parametrize("text", ["1.37.1", "v1.37.1", "v1.37.1-rc.2", "v1.37.1+vendor.1", " v1.37.1\n"])
def test_a_version_is_read(text: str) -> None:
    assert Version.of(text) == Version(1, 37, 1)


@pytest.mark.parametrize("text", ["", "1.37", "latest", "1.37.x", "v1.37.1.2"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no version"):
        Version.of(text)


# The policy's own words: with an API server at 1.37 ...
@pytest.mark.parametrize(
    ("component", "supported", "not_supported"),
    [
        ("kubelet", ["1.37.0", "1.36.9", "1.35.0", "1.34.2"], ["1.33.9", "1.38.0"]),
        ("kube-proxy", ["1.37.0", "1.36.9", "1.35.0", "1.34.2"], ["1.33.9", "1.38.0"]),
        ("kube-controller-manager", ["1.37.5", "1.36.0"], ["1.35.9", "1.38.0"]),
        ("kube-scheduler", ["1.37.5", "1.36.0"], ["1.35.9", "1.38.0"]),
        ("kubectl", ["1.38.0", "1.37.0", "1.36.0"], ["1.39.0", "1.35.9"]),
    ],
)
def test_what_the_policy_supports(component: str, supported: list[str], not_supported: list[str]) -> None:
    server = part("kube-apiserver", "1.37.1")
    for version in supported:
        assert skewed([server, part(component, version)]) == {}
    for version in not_supported:
        other = part(component, version)
        assert list(skewed([server, other])) == [other]


def test_while_servers_differ_the_others_must_suit_both() -> None:
    servers = [part("kube-apiserver", "1.37.0", "oslo-1"), part("kube-apiserver", "1.36.4", "oslo-2")]
    assert skewed([*servers, part("kubelet", "1.36.4", "oslo-3")]) == {}
    newer = part("kubelet", "1.37.0", "oslo-3")
    assert skewed([*servers, newer]) == {newer: "newer than the API server 1.36.4"}
    apart = [servers[0], part("kube-apiserver", "1.35.9", "oslo-3")]
    assert list(skewed(apart)) == [apart[1]]


def test_kube_proxy_is_held_against_the_kubelet_beside_it() -> None:
    server = part("kube-apiserver", "1.37.0")
    kubelet, proxy = part("kubelet", "1.34.0"), part("kube-proxy", "1.37.0")
    assert skewed([server, kubelet, proxy]) == {}
    assert "4 minors from the kubelet" in skewed([server, part("kubelet", "1.33.0"), proxy])[proxy]


def test_without_an_api_server_nothing_is_judged() -> None:
    assert skewed([part("kubelet", "1.1.0")]) == {}


@pytest.mark.parametrize(
    ("now", "to", "why"),
    [
        ("1.36.9", "1.37.1", ""),
        ("1.37.1", "1.37.4", ""),
        ("1.37.1", "1.37.1", ""),  # goes on with one that was interrupted
        ("1.35.9", "1.37.1", "1.35.9 to 1.37.1 skips a minor: upgrade to 1.36.x first"),
        ("1.37.1", "1.36.9", "1.36.9 is older than 1.37.1"),
        ("1.37.1", "1.37.0", "1.37.0 is older than 1.37.1"),
        ("1.37.1", "2.0.0", "another major version"),
    ],
)
def test_the_way_up(now: str, to: str, why: str) -> None:
    refused = refused_upgrade(Version.of(now), Version.of(to))
    assert refused.startswith(why) if not why.startswith("another") else why in refused
    assert bool(refused) is bool(why)


def test_a_kubelet_that_would_be_left_behind_refuses_the_way() -> None:
    old = part("kubelet", "1.34.0", "oslo-3")
    assert refused_upgrade(Version.of("1.37.1"), Version.of("1.38.0"), [old]) == (
        "kubelet on oslo-3 1.34.0: more than 3 minor older than the API server 1.38.0"
    )


@given(VERSIONS, VERSIONS)
def test_never_down_and_never_over_a_minor(now: Version, to: Version) -> None:
    allowed = now <= to and to.minor - now.minor <= 1
    assert (refused_upgrade(now, to) == "") is allowed
