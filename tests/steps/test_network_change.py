"""The change of a network node by node: the order, the figures, and where it stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from inventory.models.cluster import Node
from inventory.models.verdict import Verdict
from tasks.drivers.errors import CommandFailed
from tasks.networks import drain
from tasks.networks.change_load import ChangeLoad, Lost
from tasks.networks.probe import Probes
from tasks.steps import network_change as step
from tasks.steps import stage
from tasks.steps.network_change import node_by_node
from tasks.steps.stage import Draft
from tests.networks.cluster import StillClock
from tests.networks.test_change import Playing, a_pod, names
from tests.operations.network_site import site
from tests.steps.conftest import Heard

SITE = site().model_copy(update={"waivers": ()})
NODES = SITE.target.nodes[1:]


@pytest.fixture
def kube(monkeypatch: pytest.MonkeyPatch) -> Playing:
    made = Playing()
    for node in NODES:
        made.put({"kind": "Node", "metadata": {"name": node.name}, "spec": {}})
        made.put(a_pod(f"web-{node.name}", node.name))
    place = SimpleNamespace(site=SITE, clock=StillClock(), progress=Heard(), ledger=Trail(made))
    monkeypatch.setattr(step, "current", lambda: place)
    monkeypatch.setattr(stage, "current", lambda: place)
    monkeypatch.setattr(step, "probing", probing)
    return made


class Trail:
    """A ledger's effects, and which nodes took no pods as each entry was written."""

    def __init__(self, kube: Playing) -> None:
        self.kube = kube
        self.seen: list[tuple[str, list[str]]] = []

    @contextmanager
    def effect(self, subject: str, body: Any) -> Iterator[Any]:
        made = SimpleNamespace(outcome={})
        self._write(f"intent {subject}")
        yield made
        self._write(f"outcome {subject} {made.outcome}")

    def _write(self, what: str) -> None:
        self.seen.append((what, [node.name for node in NODES if drain.is_marked(self.kube, node.name)]))


@contextmanager
def probing(*_: Any) -> Iterator[Probes]:
    yield Probes({}, {node.name: f"probe-{node.name}" for node in SITE.target.nodes})


def under(monkeypatch: pytest.MonkeyPatch, *windows: Lost) -> None:
    """A load that has seen this."""

    @contextmanager
    def loaded(_: Any, __: Any, askers: list[str], ___: str) -> Iterator[ChangeLoad]:
        assert askers == [f"probe-{node.name}" for node in SITE.target.nodes], "asked from every node"
        load = ChangeLoad()
        for window in windows:
            load.add(window)
        yield load

    monkeypatch.setattr(step, "loaded", loaded)


def test_one_node_after_the_other_is_empty_when_it_changes(
    kube: Playing, monkeypatch: pytest.MonkeyPatch
) -> None:
    under(monkeypatch, Lost(500, 0, 2, 0, ""))
    seen = []

    def change(node: Node) -> None:
        marked = [each.name for each in NODES if drain.is_marked(kube, each.name)]
        seen.append((node.name, marked, names(kube)))

    draft = Draft()
    node_by_node(draft, kube, NODES, "probe:1", change)
    assert seen == [("oslo-2", ["oslo-2"], {"web-oslo-3"}), ("oslo-3", ["oslo-3"], set())]
    assert step.current().ledger.seen == [
        (f"{what} kube/oslo/empty/{node}{came}", [])
        for node in ("oslo-2", "oslo-3")
        for what, came in (("intent", ""), ("outcome", " {'evicted': 1, 'renewed': 0}"))
    ]
    figures = draft.figures["network_change"]
    assert [(each["node"], each["evicted"]) for each in figures["nodes"]] == [("oslo-2", 1), ("oslo-3", 1)]
    assert figures["load"]["requests"] == 500
    (finding,) = draft.findings
    assert (finding.code, finding.verdict) == ("NET-CHANGE", Verdict.PASS)


@pytest.mark.parametrize(
    ("lost", "says"),
    [
        (Lost(500, 3, 4, 0, "refused"), "3 of 500 requests failed"),
        (Lost(500, 0, 4, 1, "gone"), "1 of 4 questions"),
    ],
)
def test_a_loss_is_shown_with_its_number(
    kube: Playing, monkeypatch: pytest.MonkeyPatch, lost: Lost, says: str
) -> None:
    under(monkeypatch, lost)
    draft = Draft()
    node_by_node(draft, kube, NODES, "probe:1", lambda _: None)
    (finding,) = draft.findings
    assert finding.verdict is Verdict.WARN
    assert says in finding.observed
    assert lost.error in finding.remedy


def test_a_node_that_fails_keeps_its_mark_and_the_next_is_not_touched(
    kube: Playing, monkeypatch: pytest.MonkeyPatch
) -> None:
    under(monkeypatch, Lost(500, 0, 2, 0, ""))

    def change(node: Node) -> None:
        raise CommandFailed(node.name, "flanneld does not start")

    with pytest.raises(CommandFailed, match="oslo-2: flanneld does not start"):
        node_by_node(Draft(), kube, NODES, "probe:1", change)
    assert drain.is_marked(kube, "oslo-2"), "the next run goes on here"
    assert not drain.is_marked(kube, "oslo-3")
    assert "web-oslo-3" in names(kube)
