"""The network: stand it up, prove every path of it, measure it beside the source's."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.change import Change
from inventory.models.cluster import Node
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane import policies
from tasks.checks.registry import Check, in_group, judge_patiently
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Kube
from tasks.facts.gather import Facts
from tasks.networks import drain, leftovers, node_plan, probe_image, proxy_account
from tasks.networks.contract import PodNetwork
from tasks.networks.data_plane_bench import Side, measure, mode_of
from tasks.networks.probe import Probes
from tasks.networks.registry import of_site
from tasks.operations.images_archive import Image
from tasks.steps.cluster_effects import ensure_proxy_account, probing
from tasks.steps.hosts import ask_all, bring_about
from tasks.steps.network_change import node_by_node
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace, current

READY_WITHIN_S = 180.0  # an emulated node takes more than one minute
LOOK_EVERY_S = 0.5


@task(name="judge policies", cache_policy=NO_CACHE)
def judge_policies(draft: Draft) -> None:
    """Before anything is changed: no policy of the cluster may lose its effect by this. Raises Halt."""
    place = current()
    enforces = of_site(place.site).enforces_policies
    kube = place.drivers.target_kube()
    context = DataPlane(place.site, {}, kube, {}, place.clock, enforces_policies=enforces)
    for finding in policies.CHECK.run(context):  # a cluster that does not answer is an outside failure
        if finding.verdict is not Verdict.PASS:  # what passes is judged again when the network stands
            draft.require(finding)


@task(name="raise network", cache_policy=NO_CACHE)
def raise_network(draft: Draft, *, dry_run: bool, beside_source: bool = True) -> None:
    """The pod network's shared part, then every node's, then wait until the nodes are ready.

    Nodes whose pods are on another network are changed one by one, emptied, under a load.
    """
    place = current()
    site, network = place.site, of_site(place.site)
    kube = place.drivers.target_kube()
    source = place.drivers.source_kube() if beside_source else None
    proxy_account.refuse_hidden_clients(site, kube, source)
    account = ensure_proxy_account(kube, dry_run=dry_run)
    draft.changes += len(account.changed)
    image = probe_image.probe_image(site.target.cluster.programs)
    asked = {node.name: node_plan.questions(network, node) for node in site.target.nodes}

    def plan(facts: Mapping[str, Facts]) -> list[Change]:
        return [
            change
            for node in site.target.nodes
            if node.name in facts
            for change in node_plan.plan(network, site, node, facts[node.name], account.token, image)
        ]

    def change(nodes: Sequence[Node]) -> None:
        mine = {node.name: asked[node.name] for node in nodes}
        bring_about(draft, f"{network.kind}-nodes", mine, plan, dry_run=dry_run)

    # Every node is planned before anything is written: a node that cannot carry the network refuses here.
    facts = ask_all(network.kind, asked, place.drivers.hosts())
    plan(facts)
    nodes = site.target.nodes
    standing = [n for n in nodes if network.replaces(facts[n.name]) or drain.is_marked(kube, n.name)]
    _share(draft, network, dry_run=dry_run)
    if dry_run or not standing:
        for node in standing:
            place.progress.say(f"{node.name}: is emptied first: its pods are on another network")
        change(nodes)
    else:
        change([node for node in nodes if node not in standing])
        _import_probes(draft, nodes, image)

        def one(node: Node) -> None:
            change([node])
            _wait_until_ready(place, kube)

        node_by_node(draft, kube, standing, image.reference, one)
    _leave(draft, dry_run=dry_run)
    if not dry_run:
        draft.figures["ready_s"] = _wait_until_ready(place, kube)


def _share(draft: Draft, network: PodNetwork, *, dry_run: bool) -> None:
    first = network.shared_on()
    bring_about(
        draft,
        network.kind,
        {first.name: network.shared_questions()},
        lambda facts: network.plan_shared(facts[first.name]),
        dry_run=dry_run,
    )


def _import_probes(draft: Draft, nodes: Sequence[Node], image: Image) -> None:
    """On every node before the first is changed: the load's pods may come to any of them."""
    bring_about(
        draft,
        "probe-image",
        {node.name: probe_image.questions() for node in nodes},
        lambda facts: [c for n in nodes for c in probe_image.plan_node(n.name, image, facts[n.name])],
        dry_run=False,
    )


def _leave(draft: Draft, *, dry_run: bool) -> None:
    """What other networks have left, once no node needs it any more."""
    site = current().site
    nodes = site.target.nodes
    asked = {node.name: leftovers.questions() for node in nodes}

    def before(facts: Mapping[str, Facts]) -> list[Change]:
        return [change for n in nodes for change in leftovers.plan_before(site, n, facts[n.name])]

    def left(facts: Mapping[str, Facts]) -> list[Change]:
        return [change for n in nodes for change in leftovers.plan_node(site, n, facts[n.name])]

    bring_about(draft, "own-routes", asked, before, dry_run=dry_run)
    bring_about(draft, "leftovers", asked, left, dry_run=dry_run)


@task(name="prove every path", cache_policy=NO_CACHE)
def prove_every_path(draft: Draft, *, beside_source: bool = True) -> None:
    """Every check of the data plane with probe pods on every node, then the throughput of both sides."""
    place = current()
    site, kube = place.site, place.drivers.target_kube()
    checks = in_group("dataplane")
    reference = probe_image.probe_image(site.target.cluster.programs).reference
    done = 0

    def told(check: Check) -> None:
        nonlocal done
        done += 1
        place.progress.step(check.title, min(done, len(checks)), len(checks))  # some are asked twice

    with probing(kube, [node.name for node in site.target.nodes], reference) as probes:
        enforces = of_site(site).enforces_policies
        context = DataPlane(
            site, place.drivers.hosts(), kube, probes.pods, place.clock, probes.nodes, enforces
        )
        draft.add(judge_patiently(checks, context, told))
        if beside_source:
            draft.figures["data_plane"] = _measured_beside_source(place, probes, reference)


def _measured_beside_source(place: Workplace, ours: Probes, reference: str) -> dict[str, dict[str, float]]:
    source, target = place.drivers.source_kube(), place.drivers.target_kube()
    names = [str(node["metadata"]["name"]) for node in source.list("v1", "Node")]
    with probing(source, names, reference) as theirs:
        sides = (
            Side(mode_of(source, theirs), source, theirs),
            Side(mode_of(target, ours), target, ours),
        )
        return measure(
            sides,
            place.clock,
            on_turn=lambda side, number: place.progress.step(f"measuring {side}, turn {number + 1}"),
        )


def _wait_until_ready(place: Workplace, kube: Kube) -> float:
    """Until every declared node is Ready; the seconds it took. Raises OutsideError, naming the others."""
    wanted = {node.name for node in place.site.target.nodes}
    start = time.monotonic()
    while True:
        ready = {
            str(node["metadata"]["name"])
            for node in kube.list("v1", "Node")
            for condition in node["status"].get("conditions", [])
            if condition["type"] == "Ready" and condition["status"] == "True"
        }
        if wanted <= ready:
            return round(time.monotonic() - start, 2)
        missing = ", ".join(sorted(wanted - ready))
        if time.monotonic() - start > READY_WITHIN_S:
            raise OutsideError(
                missing, f"not Ready within {READY_WITHIN_S:.0f} s", f"kubectl describe node {missing}"
            )
        place.progress.step(f"waiting for {missing} to be Ready")
        place.clock.sleep(LOOK_EVERY_S)
