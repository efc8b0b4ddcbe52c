"""The upgrade of a cluster that stands: refused or planned first, then one node after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.errors import BadInput
from inventory.kubernetes_version import Part, Version, refused_upgrade
from inventory.models.change import Change
from inventory.models.cluster import Node, Role
from inventory.models.site import Site
from tasks.checks.controlplane.skew import from_objects
from tasks.drivers.errors import OutsideError
from tasks.drivers.local_program import kubernetes_version
from tasks.facts import control_plane
from tasks.networks import node_plan
from tasks.networks.probe_image import probe_image
from tasks.networks.registry import of_site
from tasks.operations import upgrade
from tasks.operations.apply import apply, undo
from tasks.operations.node import PHASES, Phase, preflight_questions, silenced
from tasks.operations.preparation import Preparation
from tasks.steps.cluster_effects import ensure_proxy_account
from tasks.steps.etcd import save
from tasks.steps.hosts import bring_about, reach
from tasks.steps.preparation import keep_kubeconfig, open_preparation
from tasks.steps.stage import Draft
from tasks.steps.workplace import current

READY_WITHIN_S = 180.0
# What of the preparation depends on the programs; the rest of it is as it was.
_PHASES = ("programs", "containerd", "etcd", "kubelet")


@task(name="plan upgrade", cache_policy=NO_CACHE)
def prepare_upgrade(draft: Draft, to: Version, programs: Path | None) -> Preparation:
    """The new programs, and whether the cluster may be brought to them; prints the plan.

    Raises BadInput where the way is refused or the programs are of another version, OutsideError where a node
    is not Ready: an upgrade begins on a sound cluster.
    """
    place = current()
    site = _site_of(place.site, to, programs)
    found = kubernetes_version(site.target.cluster.programs)
    if found != to:
        raise BadInput(f"the programs are of {found}, asked for is {to}", site.target.cluster.programs)
    reach([node.name for node in site.target.nodes])
    parts = _parts()
    now = min(part.version for part in parts if part.component == "kube-apiserver")
    if why := refused_upgrade(now, to, parts):
        raise BadInput(f"--to {to}: {why}")
    _require_ready()
    draft.figures |= {"from": str(now), "to": str(to), "node_seconds": {}}
    place.progress.say(f"from {now} to {to}, one node after the other:")
    for number, node in enumerate(upgrade.order(site), start=1):
        plane = Role.CONTROL_PLANE in node.roles
        first = "control plane, drain" if plane else "drain"
        place.progress.say(f"  {number}. {node.name}: kubeadm, {first}, programs, kubelet, uncordon")
    return open_preparation(site, place.clock)


@task(name="save etcd first", cache_policy=NO_CACHE)
def save_first(draft: Draft) -> None:
    """A backup of etcd from before the first change: there is no other way back to the old version."""
    place = current()
    folder = place.state / "etcd"
    folder.mkdir(mode=0o700, exist_ok=True)
    stamp = place.clock.now().strftime("%Y%m%dT%H%M%SZ")
    save(draft, folder / f"before-upgrade-{stamp}.db")


@task(name="upgrade node", cache_policy=NO_CACHE)
def upgrade_node(draft: Draft, preparation: Preparation, node: Node, to: Version) -> None:
    """kubeadm, drain, the new programs and services, until it is Ready with the new version; uncordon.

    A node that is through is only looked at. Raises OutsideError; then the node takes pods again, if it can.
    """
    place = current()
    start = time.monotonic()
    plane = preparation.planes[0]
    images = next(phase for phase in PHASES if phase.name == "images")
    _run_phase(draft, preparation, node, images)
    changed = _kubeadm(draft, preparation, node, to)
    if _kubelet_version(node) == to and not changed and not _is_cordoned(node):
        return
    drain = upgrade.plan_drain(plane, node)
    host = place.drivers.host(plane.name)
    place.progress.step(f"{node.name}: drain")
    with place.ledger.effect(f"upgrade/{node.name}", {"to": str(to)}) as effect:
        try:
            apply(host, drain)
            for phase in PHASES:
                if phase.name in _PHASES and node in phase.nodes(preparation):
                    _run_phase(draft, preparation, node, phase)
            _network(draft, preparation.site, node)
            _await_version(node, to)
        finally:
            undo(host, drain)
        seconds = round(time.monotonic() - start, 1)
        draft.figures["node_seconds"][node.name] = seconds
        effect.outcome = {"version": str(to), "seconds": seconds}
    draft.changes += 2
    place.progress.say(f"{node.name}: {to} in {seconds} s")


@task(name="end upgrade", cache_policy=NO_CACHE)
def end_upgrade(draft: Draft, preparation: Preparation, to: Version) -> None:
    """The kubeconfig with its renewed certificate, and what the site file must say from now on."""
    place = current()
    draft.changes += keep_kubeconfig(preparation, place.drivers.host(preparation.planes[0].name))
    declared = place.site.target.cluster
    used = preparation.site.target.cluster.programs
    if declared.version != str(to) or declared.programs != used:
        place.progress.say(f"write into {place.site_file}: version: {to}, programs: {used}")


def _site_of(site: Site, to: Version, programs: Path | None) -> Site:
    """The site as it shall be."""
    changed = {"version": str(to), "programs": programs or site.target.cluster.programs}
    cluster = site.target.cluster.model_copy(update=changed)
    return site.model_copy(update={"target": site.target.model_copy(update={"cluster": cluster})})


def _kubeadm(draft: Draft, preparation: Preparation, node: Node, to: Version) -> int:
    """kubeadm's part where it is not done; the number of changes."""
    manifests = control_plane.ask()
    asked = (manifests, *preflight_questions(preparation, node))
    first = node == preparation.planes[0]

    def plan(facts: Any) -> Sequence[Change]:
        version = facts[node.name].of(manifests)
        applies = first and (version != to or _configured() != to)
        behind = version != to if version is not None else _kubelet_version(node) != to
        if not applies and not behind:
            return []
        ignored = silenced(preparation, node, facts[node.name])
        return [upgrade.plan_kubeadm(preparation, node, to, applies=applies, ignored=ignored)]

    return bring_about(draft, f"{node.name}-kubeadm", {node.name: asked}, plan, dry_run=False)


def _run_phase(draft: Draft, preparation: Preparation, node: Node, phase: Phase) -> None:
    """A phase of the preparation on one node."""
    bring_about(
        draft,
        f"{node.name}-{phase.name}",
        {node.name: phase.asked(preparation, node)},
        lambda facts: phase.plan(preparation, facts),
        dry_run=False,
    )


def _network(draft: Draft, site: Site, node: Node) -> None:
    """kube-proxy and the pod network run with the new programs."""
    network = of_site(site)
    token = ensure_proxy_account(current().drivers.target_kube()).token
    image = probe_image(site.target.cluster.programs)
    bring_about(
        draft,
        f"{node.name}-network",
        {node.name: node_plan.questions(network, node)},
        lambda facts: node_plan.plan(network, site, node, facts[node.name], token, image),
        dry_run=False,
    )


def _parts() -> list[Part]:
    kube = current().drivers.target_kube()
    parts = from_objects(kube.list("v1", "Node"), kube.list("v1", "Pod", namespace="kube-system"))
    if not any(part.component == "kube-apiserver" for part in parts):
        raise OutsideError(
            kube.name, "its API servers are no pods of kube-system", "it is not kubeadm's cluster"
        )
    return parts


def _configured() -> Version | None:
    """The version that kubeadm's own configuration of the cluster names."""
    found = current().drivers.target_kube().get("v1", "ConfigMap", "kubeadm-config", namespace="kube-system")
    text = (found or {}).get("data", {}).get("ClusterConfiguration", "")
    named = [
        line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("kubernetesVersion:")
    ]
    return Version.of(named[0]) if named else None


def _node(node: Node) -> dict[str, Any]:
    kube = current().drivers.target_kube()
    found = kube.get("v1", "Node", node.name)
    if found is None:
        raise OutsideError(kube.name, f"has no node {node.name}", "run `safe-harbor prepare SITE`")
    return found


def _kubelet_version(node: Node) -> Version:
    return Version.of(_node(node)["status"]["nodeInfo"]["kubeletVersion"])


def _is_cordoned(node: Node) -> bool:
    return bool(_node(node)["spec"].get("unschedulable", False))


def _is_ready(found: dict[str, Any]) -> bool:
    conditions = found["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _require_ready() -> None:
    site = current().site
    unready = [node.name for node in site.target.nodes if not _is_ready(_node(node))]
    if unready:
        raise OutsideError(
            ", ".join(unready), "not Ready: an upgrade begins on a sound cluster", "kubectl describe node"
        )


def _await_version(node: Node, to: Version) -> None:
    """Until the node is Ready with this kubelet. Raises OutsideError."""
    place = current()
    start = time.monotonic()
    while True:
        try:
            found = _node(node)
            if _is_ready(found) and Version.of(found["status"]["nodeInfo"]["kubeletVersion"]) == to:
                return
            trouble = "not Ready with the new version"
        except OutsideError as error:
            trouble = error.what
        if time.monotonic() - start > READY_WITHIN_S:
            raise OutsideError(
                node.name, f"{trouble} within {READY_WITHIN_S:.0f} s", "journalctl -u kubelet on it"
            )
        place.progress.step(f"waiting for {node.name} to be Ready with {to}")
        place.clock.sleep(1.0)
