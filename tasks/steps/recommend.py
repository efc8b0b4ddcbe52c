"""Asks the site what it can carry, and says which pod network follows from it. Changes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tasks.facts import modules, underlay
from tasks.facts.underlay import Underlay
from tasks.networks.recognise import network_of
from tasks.networks.recommend import Environment, Recommendation, recommend
from tasks.networks.underlay_probe import Pair, foreign_address, lets_foreign_through, ring
from tasks.steps.hosts import ask_all
from tasks.steps.workplace import current

SCHEMA = "safe-harbor/network-recommendation/v1"


@dataclass(frozen=True)
class Advice:
    """What was found out, and what follows."""

    declared: str
    environment: Environment
    recommendation: Recommendation
    pairs: tuple[Pair, ...]

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`; docs/formats.md."""
        chosen = self.recommendation.chosen
        return {
            "schema": SCHEMA,
            "declared": self.declared,
            "recommended": self.recommendation.kind,
            "settings": dict(chosen.settings) if chosen else {},
            "options": [
                {"kind": o.kind, "possible": o.possible, "reasons": [*o.reasons, *o.against]}
                for o in self.recommendation.options
            ],
            "notes": list(self.recommendation.notes),
            "environment": asdict(self.environment),
            "pairs": [asdict(pair) for pair in self.pairs],
        }

    def lines(self) -> list[str]:
        """The same for a person."""
        chosen = self.recommendation.chosen
        kind = self.recommendation.kind or "nothing, as it stands"
        lines = [f"declared: {self.declared}; recommended: {kind}"]
        if chosen:
            lines += [f"  {key}: {str(value).lower()}" for key, value in chosen.settings.items()]
        for option in self.recommendation.options:
            word = "can be" if option.possible else "cannot"
            lines += [f"{option.kind:<18} {word:<7} {'; '.join((*option.reasons, *option.against))}"]
        lines += [f"note: {note}" for note in self.recommendation.notes]
        unheard = [pair for pair in self.pairs if pair.heard is None or not pair.heard.own]
        lines += [f"note: {p.sender} -> {p.receiver}: {p.error or 'nothing arrived'}" for p in unheard]
        return lines


def advise() -> Advice:
    """Ask every node and both clusters. Raises OutsideError where a node or a cluster does not answer."""
    place = current()
    site = place.site
    target = site.target
    nodes = {node.name: node for node in target.nodes}
    asked = {}
    for name, node in nodes.items():
        peers = [str(other.address) for other in target.nodes if other.name != name]
        asked[name] = (underlay.ask(node.interface, peers), modules.ask(("wireguard",)))
    facts = ask_all("underlay", asked, place.drivers.hosts())
    seen: dict[str, Underlay] = {name: facts[name].of(asked[name][0]) for name in nodes}
    lacking = [n for n in nodes if facts[n].of(asked[n][1])["wireguard"] is modules.State.MISSING]
    place.progress.step("underlay: which addresses pass from node to node")
    pairs = ring(target.nodes, place.drivers.hosts(), seen, target.cluster.pod_cidr)
    place.progress.step("underlay: NetworkPolicies in use")
    source = place.drivers.source_kube()
    kubes = [source, *([place.drivers.target_kube()] if target.cluster.kubeconfig.exists() else [])]
    network = target.cluster.network
    environment = Environment(
        same_l2=all(each.one_l2 for each in seen.values()) if len(nodes) > 1 else None,
        foreign_sources=lets_foreign_through(pairs, foreign_address(target.cluster.pod_cidr)),
        mtu=min(each.mtu for each in seen.values()),
        mbit_per_s=next((pair.heard.mbit_per_s for pair in pairs if pair.heard), None),
        encrypted=network.encrypted,
        policies=tuple(
            f"{policy['metadata']['namespace']}/{policy['metadata']['name']}"
            for kube in kubes
            for policy in kube.list("networking.k8s.io/v1", "NetworkPolicy")
        ),
        without_wireguard=tuple(lacking),
        routers=len(network.bgp_peers),
        manifests=network.manifests is not None,
        source=network_of(source),
    )
    return Advice(network.kind, environment, recommend(environment), pairs)
