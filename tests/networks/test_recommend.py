"""The recommendation: the reasons of every kind, and that nothing unknown is ever taken for a yes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.facts.foreign_source import Heard, parse
from tasks.facts.underlay import Hop, Underlay
from tasks.facts.underlay import parse as parse_underlay
from tasks.networks.recognise import network_of
from tasks.networks.recommend import AGAINST, FOR, Environment, recommend
from tasks.networks.underlay_probe import Pair, foreign_address, lets_foreign_through
from tests.networks.cluster import MemoryKube

PLAIN = Environment(same_l2=True, foreign_sources=True, mtu=1500, mbit_per_s=940.0)


@pytest.mark.parametrize(
    ("site", "kind", "settings"),
    [
        (PLAIN, "flannel_host_gw", {}),
        (replace(PLAIN, routers=2), "bgp", {}),
        (replace(PLAIN, same_l2=False), "flannel_vxlan", {"direct_routing": True}),
        (replace(PLAIN, foreign_sources=False), "flannel_vxlan", {"direct_routing": False}),
        (replace(PLAIN, foreign_sources=None), "flannel_vxlan", {"direct_routing": False}),
        (replace(PLAIN, encrypted=True), "flannel_wireguard", {}),
        (replace(PLAIN, policies=("shop/only-edge",), manifests=True), "calico", {}),
        (replace(PLAIN, policies=("shop/only-edge",)), "", {}),
        (replace(PLAIN, encrypted=True, without_wireguard=("oslo-2",)), "", {}),
        (replace(PLAIN, same_l2=False, mtu=1320), "", {}),  # an overlay would leave pods less than 1280
    ],
)
def test_what_the_site_says_decides(site: Environment, kind: str, settings: dict[str, bool]) -> None:
    found = recommend(site)
    assert found.kind == kind
    assert (dict(found.chosen.settings) if found.chosen else {}) == settings


def test_every_refusal_says_what_is_in_its_way() -> None:
    site = replace(PLAIN, encrypted=True, without_wireguard=("oslo-2", "oslo-3"), policies=("shop/a",))
    against = {option.kind: "; ".join(option.against) for option in recommend(site).options}
    assert "oslo-2, oslo-3" in against["flannel_wireguard"]
    assert "enforces no NetworkPolicy, and 1 are in use: shop/a" in against["flannel_host_gw"]
    assert "does not encrypt" in against["flannel_host_gw"]
    assert "target.cluster.network.manifests" in against["calico"]
    assert "no router is declared" in against["bgp"]


def test_a_fast_underlay_and_weave_are_noted() -> None:
    notes = recommend(replace(PLAIN, mbit_per_s=25_000.0, source="weave")).notes
    assert any("25,000 Mbit/s" in note for note in notes)
    assert any("Weave Net" in note and "encrypted" in note for note in notes)


sites = st.builds(
    Environment,
    same_l2=st.sampled_from((True, False, None)),
    foreign_sources=st.sampled_from((True, False, None)),
    mtu=st.none() | st.integers(1200, 9000),
    mbit_per_s=st.none() | st.floats(1, 1e5),
    encrypted=st.booleans(),
    policies=st.sampled_from(((), ("a/b",))),
    without_wireguard=st.sampled_from(((), ("oslo-1",))),
    routers=st.integers(0, 2),
    manifests=st.booleans(),
)


@given(site=sites)
def test_what_is_recommended_can_be_and_does_what_is_asked(site: Environment) -> None:
    found = recommend(site)
    assert {option.kind for option in found.options} == set(AGAINST) == set(FOR)
    assert all(bool(option.reasons) is option.possible for option in found.options)
    if site.policies:
        assert found.kind in ("calico", "")
    if site.encrypted:
        assert found.kind in ("flannel_wireguard", "")
    if found.kind in ("bgp", "flannel_host_gw"):
        assert site.foreign_sources is True
    if found.kind == "flannel_host_gw":
        assert site.same_l2 is True
    if found.chosen and found.chosen.settings.get("direct_routing"):
        assert site.foreign_sources is True


FOREIGN = foreign_address(IPv4Network("10.244.0.0/16"))
BOTH, FILTERED, NOTHING = (
    Heard("10.0.0.1", str(FOREIGN), None),
    Heard("10.0.0.1", "", None),
    Heard("", "", None),
)
REWRITTEN = Heard("10.0.0.1", "10.0.0.1", None)


@pytest.mark.parametrize(
    ("heard", "passes"),
    [
        ([BOTH, BOTH], True),
        ([BOTH, FILTERED], False),
        ([BOTH, REWRITTEN], False),
        ([BOTH, NOTHING], None),
        ([BOTH, None], None),
        ([FILTERED, None], False),
        ([], None),
    ],
)
def test_one_pair_that_filters_is_enough_and_silence_is_not(
    heard: list[Heard | None], passes: bool | None
) -> None:
    pairs = [Pair("a", "b", each) for each in heard]
    assert IPv4Address("10.244.0.2") == FOREIGN
    assert lets_foreign_through(pairs, FOREIGN) is passes


def test_what_the_probes_print_is_read() -> None:
    assert parse("own\t10.9.0.1\nforeign\t10.244.0.2\nbulk\t2379.950\n") == Heard(
        "10.9.0.1", "10.244.0.2", 2379.95
    )
    with pytest.raises(ValueError, match="unknown line"):
        parse("other\tx\n")
    text = "index\t2\nmtu\t1500\npeer\t10.0.0.2\t10.0.0.2\tce:5b\npeer\t10.0.0.3\t10.0.0.3\t0a:01\n"
    seen = parse_underlay(text)
    assert (seen.mtu, seen.index, seen.hops["10.0.0.2"]) == (1500, 2, Hop("10.0.0.2", "ce:5b"))
    assert seen.one_l2


@pytest.mark.parametrize(
    "hops",
    [
        {"10.0.0.2": Hop("10.0.0.2", "")},
        {"10.0.0.2": Hop("10.0.0.1", "aa")},
        {"10.0.0.2": Hop("10.0.0.2", "aa"), "10.0.0.3": Hop("10.0.0.3", "aa")},
    ],
    ids=["nobody answers", "a router between", "one answers for several"],
)
def test_one_layer_2_means_that_every_peer_answers_for_itself(hops: dict[str, Hop]) -> None:
    assert not Underlay(1500, 2, hops).one_l2


def test_a_network_is_recognised_by_its_daemon_set() -> None:
    kube = MemoryKube().put(
        {"kind": "DaemonSet", "metadata": {"name": "weave-net", "namespace": "kube-system"}},
        {"kind": "DaemonSet", "metadata": {"name": "logs", "namespace": "ops"}},
    )
    assert network_of(kube) == "weave"
    assert network_of(MemoryKube()) == "unknown"
