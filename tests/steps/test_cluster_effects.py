"""What a cluster gets beside the move stands in the ledger: before it is altered, and what came of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Output
from tasks.facts.probe import NAMESPACE
from tasks.operations.kube_proxy import ACCOUNT, ACCOUNT_NAMESPACE
from tasks.steps.cluster_effects import ensure_proxy_account, probing
from tasks.steps.workplace import Workplace
from tests.networks.cluster import MemoryKube, pod, said
from tests.steps.conftest import subjects

NODES = ["oslo-1", "oslo-2"]
MET = {"requests": 64, "errors": 0, "by": {f"p{n}": 16 for n in range(4)}, "clients": [], "error": ""}


def cluster(name: str, place: Workplace) -> MemoryKube:
    """A cluster whose probe pods come as soon as they are asked for, and that issues tokens.

    Nothing is altered in it without an open intent.
    """

    def answers(_: str, __: Sequence[str]) -> Output:
        return said(json.dumps(MET))

    class Watched(MemoryKube):
        def apply(self, manifest: Any, *, dry_run: bool = False) -> bool:
            assert dry_run or place.ledger.open_intents(), "altered before the intent"
            return super().apply(manifest, dry_run=dry_run)

        def delete(self, api_version: str, kind: str, name: str, *, namespace: str | None = None) -> bool:
            assert place.ledger.open_intents(), "altered before the intent"
            return super().delete(api_version, kind, name, namespace=namespace)

    def comes(manifest: dict[str, Any]) -> None:
        if manifest["kind"] == "DaemonSet":
            app = manifest["metadata"]["name"]
            kube.put(*(pod(f"{app}-{node}", node, app=app) for node in NODES))
        if manifest["kind"] == "Secret":
            token = {"data": {"token": base64.b64encode(b"t").decode()}}
            kube.objects["Secret", ACCOUNT_NAMESPACE, ACCOUNT] = dict(manifest) | token

    kube = Watched(answers)
    kube.name = name
    kube.on_apply = comes
    return kube


@pytest.mark.parametrize("name", ["oslo", "source"])
def test_probes_have_an_intent_before_and_an_outcome_after(place: Workplace, name: str) -> None:
    kube = cluster(name, place)
    with probing(kube, NODES, "probe:1") as probes:
        assert sorted(probes.pods) == NODES
        assert subjects(place) == [f"intent kube/{name}/probes"]
    (outcome,) = place.ledger.entries("outcome")
    assert outcome.body == {"pods": 4, "removed": True, "intent": 0, "done": True, "error": ""}
    assert place.ledger.entries("intent")[0].body == {
        "namespace": NAMESPACE,
        "image": "probe:1",
        "nodes": NODES,
    }
    assert not [key for key in kube.objects if key[1] == NAMESPACE]


def test_a_check_that_fails_between_is_told_and_the_probes_are_gone(place: Workplace) -> None:
    kube = cluster("oslo", place)
    with pytest.raises(ServiceFailed), probing(kube, NODES, "probe:1"):
        raise ServiceFailed("oslo-1", "no answer")
    (outcome,) = place.ledger.entries("outcome", "kube/oslo/probes")
    assert (outcome.body["done"], outcome.body["removed"]) == (False, True)
    assert "no answer" in outcome.body["error"]


def test_probes_that_stay_are_told_as_not_removed(place: Workplace) -> None:
    kube = cluster("oslo", place)

    def stay(*_: Any, **__: Any) -> bool:
        raise ServiceFailed("oslo", "no answer to the DELETE")

    with pytest.raises(ServiceFailed, match="DELETE"), probing(kube, NODES, "probe:1"):
        kube.delete = stay  # type: ignore[method-assign]
    (outcome,) = place.ledger.entries("outcome", "kube/oslo/probes")
    assert (outcome.body["done"], outcome.body["removed"], outcome.body["pods"]) == (False, False, 4)


def test_the_proxys_account_is_recorded_once(place: Workplace) -> None:
    kube = cluster("oslo", place)
    assert ensure_proxy_account(kube, dry_run=True).changed
    assert subjects(place) == []
    made = ensure_proxy_account(kube)
    assert made.token.reveal() == "t"
    (outcome,) = place.ledger.entries("outcome", "kube/oslo/kube-proxy-account")
    assert outcome.body["changed"] == list(made.changed)
    assert place.ledger.entries("intent")[0].body == {"objects": list(made.changed)}
    assert "t" not in outcome.body.values()
