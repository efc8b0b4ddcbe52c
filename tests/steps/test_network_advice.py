"""`network recommend` on hosts and clusters that exist only in memory: what is asked, and what is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from inventory.models.command import Shellable
from tasks.drivers.ports import Output
from tasks.facts import foreign_source
from tasks.facts.gather import marker_of
from tasks.facts.underlay import ask
from tasks.steps import hosts as hosts_step
from tasks.steps import recommend as step
from tests.networks.cluster import MemoryKube, said
from tests.operations.network_site import site
from tests.steps.conftest import Heard


class Host:
    """A node whose peers all answer for themselves; `foreign` is what arrives of a pod's address."""

    def __init__(self, name: str, number: int, foreign: str) -> None:
        self.name, self._number, self._foreign = name, number, foreign

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        peers = [n for n in (1, 2, 3) if n != self._number]
        lines = [f"peer\t10.60.0.{10 + n}\t10.60.0.{10 + n}\taa:0{n}" for n in peers]
        answers = ["index\t2\nmtu\t1500\n" + "\n".join(lines) + "\n", "wireguard\tmissing\n"]
        text = command.render()
        marker = next(word for word in text.replace("'", " ").split() if word.startswith("@@"))
        return said(
            "".join(f"\n{marker} begin {n}\n{a}\n{marker} end {n} 0\n" for n, a in enumerate(answers))
        )

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        if "packet(" in command.render():
            return ""  # the sender
        return f"own\t10.60.0.1\nforeign\t{self._foreign}\n" if self._foreign else "own\t10.60.0.1\n"


def advised(monkeypatch: pytest.MonkeyPatch, *, foreign: str, source: MemoryKube) -> step.Advice:
    declared = site()
    hosts: Mapping[str, Any] = {
        node.name: Host(node.name, number, foreign) for number, node in enumerate(declared.target.nodes, 1)
    }
    drivers = SimpleNamespace(hosts=lambda: hosts, source_kube=lambda: source)
    place = SimpleNamespace(site=declared, drivers=drivers, progress=Heard())
    monkeypatch.setattr(step, "current", lambda: place)
    monkeypatch.setattr(hosts_step, "current", lambda: place)
    return step.advise()


def test_pods_addresses_that_pass_make_plain_routes_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    advice = advised(monkeypatch, foreign="10.244.0.2", source=MemoryKube())
    assert advice.recommendation.kind == "flannel_host_gw"
    document = json.loads(json.dumps(advice.as_json()))
    assert document["schema"] == "safe-harbor/network-recommendation/v1"
    assert (document["declared"], document["recommended"]) == ("flannel_vxlan", "flannel_host_gw")
    assert document["environment"]["without_wireguard"] == ["oslo-1", "oslo-2", "oslo-3"]
    assert len(document["pairs"]) == 3
    assert advice.lines()[0] == "declared: flannel_vxlan; recommended: flannel_host_gw"


def test_what_does_not_pass_and_what_the_source_runs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = {"kind": "NetworkPolicy", "metadata": {"name": "edge", "namespace": "shop"}}
    weave = {"kind": "DaemonSet", "metadata": {"name": "weave-net", "namespace": "kube-system"}}
    advice = advised(monkeypatch, foreign="", source=MemoryKube().put(policy, weave))
    assert advice.environment.foreign_sources is False
    assert advice.recommendation.kind == "", (
        "only calico enforces the policy, and its manifests are not given"
    )
    text = "\n".join(advice.lines())
    assert "recommended: nothing, as it stands" in text
    assert "shop/edge" in text
    assert "Weave Net" in text


def test_the_questions_have_their_commands() -> None:
    """The fake above relies on it."""
    assert marker_of((ask("eth0", ["10.0.0.1"]),)).startswith("@@")
    sent = foreign_source.send("m", 2, "aa:bb", "10.0.0.2", own="10.0.0.1", foreign="10.244.0.2", bulk=False)
    assert "packet(" in sent.render()
    assert "packet(" not in foreign_source.listen("m", bulk=False).render()
