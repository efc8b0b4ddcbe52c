"""Empties a node for the time of a change: no new pods on it, and its pods evicted as their budgets allow.

What `kubectl drain --ignore-daemonsets --delete-emptydir-data` does; pods of DaemonSets stay, and those in
the pod network are made anew after the change, for a pod keeps the network that it was started on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tasks.drivers.errors import OutsideError, ServiceFailed
from tasks.drivers.ports import Clock, Kube

MARK = "safe-harbor/emptied"  # on a node that we keep pods off, so that a killed run's is found
EMPTY_WITHIN_S = 300.0
DAEMONS_WITHIN_S = 90.0
_POLL_S = 0.5
_OVER = ("Succeeded", "Failed")
Pod = Mapping[str, Any]


@contextmanager
def emptied(kube: Kube, clock: Clock, node: str, *, within_s: float = EMPTY_WITHIN_S) -> Iterator[int]:
    """The node without its evictable pods, whose number is given; pods are let back on it when all went well.

    A node that somebody else keeps pods off stays so. Raises ServiceFailed where a pod would not come back
    elsewhere (nothing is done then), or is not gone in time (pods are let back).
    """
    found = _pods(kube, node)
    lonely = sorted(_name(pod) for pod in found if evictable(pod) and not _owner(pod))
    if lonely:
        raise ServiceFailed(
            node,
            f"no controller would make these pods again elsewhere: {', '.join(lonely)}",
            "delete them, or let a Deployment or Job own them",
        )
    state = kube.get("v1", "Node", node) or {}
    others = bool(state.get("spec", {}).get("unschedulable")) and not is_marked(kube, node)
    if not others:
        kube.apply(_manifest(node) | {"spec": {"unschedulable": True}})
    try:
        count = _evict(kube, clock, node, within_s)
    except OutsideError:
        if not others:
            let_back(kube, node)  # nothing is changed yet
        raise
    # Where the change fails, the mark stays with the node: pods stay off, and the next run goes on there.
    yield count
    if not others:
        let_back(kube, node)


def let_back(kube: Kube, node: str) -> None:
    """Let pods on the node again, where it is we who keep them off."""
    if is_marked(kube, node):
        # What a server-side apply leaves out of what it has set before is taken away.
        kube.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})


def is_marked(kube: Kube, node: str) -> bool:
    """Whether a run of ours began to change the node and has not ended."""
    state = kube.get("v1", "Node", node) or {}
    return MARK in state.get("metadata", {}).get("annotations", {})


def evictable(pod: Pod) -> bool:
    """Whether it has to leave: not a finished one, a static one (its mirror), or a DaemonSet's."""
    mirror = "kubernetes.io/config.mirror" in pod["metadata"].get("annotations", {})
    return not mirror and _owner(pod) != "DaemonSet" and pod.get("status", {}).get("phase") not in _OVER


def renew_daemons(kube: Kube, clock: Clock, node: str, *, within_s: float = DAEMONS_WITHIN_S) -> int:
    """Delete the node's DaemonSet pods that are in the pod network, and wait until all are ready again.

    Their number. Raises ServiceFailed, naming them, where they are not in time.
    """
    old = [pod for pod in _pods(kube, node) if _networked_daemon(pod)]
    for pod in old:
        kube.delete("v1", "Pod", pod["metadata"]["name"], namespace=pod["metadata"]["namespace"])
    uids = {pod["metadata"]["uid"] for pod in old}
    started = clock.now()
    while True:
        now = [pod for pod in _pods(kube, node) if _networked_daemon(pod)]
        waited_for = [_name(pod) for pod in now if pod["metadata"]["uid"] in uids or not _is_ready(pod)]
        if len(now) >= len(old) and not waited_for:
            return len(old)
        if (clock.now() - started).total_seconds() > within_s:
            names = ", ".join(sorted(waited_for)) or f"{len(now)} of {len(old)} are there"
            raise ServiceFailed(node, f"DaemonSet pods are not ready in {within_s:g} s: {names}")
        clock.sleep(_POLL_S)


def _evict(kube: Kube, clock: Clock, node: str, within_s: float) -> int:
    started = clock.now()
    first: set[str] = set()
    while left := [pod for pod in _pods(kube, node) if evictable(pod)]:
        first |= {pod["metadata"]["uid"] for pod in left}
        refused = [
            _name(pod)
            for pod in left
            if "deletionTimestamp" not in pod["metadata"]
            and not kube.evict(pod["metadata"]["namespace"], pod["metadata"]["name"])
        ]
        if (clock.now() - started).total_seconds() > within_s:
            raise ServiceFailed(
                node,
                f"pods are not gone in {within_s:g} s: {', '.join(sorted(map(_name, left)))}"
                + (f"; a disruption budget keeps {', '.join(refused)}" if refused else ""),
                "give their Deployments another replica, or their PodDisruptionBudgets room",
            )
        clock.sleep(_POLL_S)
    return len(first)


def _manifest(node: str) -> dict[str, Any]:
    metadata = {"name": node, "annotations": {MARK: "true"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}


def _pods(kube: Kube, node: str) -> Sequence[Pod]:
    return [pod for pod in kube.list("v1", "Pod") if pod["spec"].get("nodeName") == node]


def _name(pod: Pod) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _owner(pod: Pod) -> str:
    """The kind of its controller, empty where it has none."""
    owners = pod["metadata"].get("ownerReferences", ())
    return next((str(owner["kind"]) for owner in owners if owner.get("controller")), "")


def _networked_daemon(pod: Pod) -> bool:
    return _owner(pod) == "DaemonSet" and not pod["spec"].get("hostNetwork")


def _is_ready(pod: Pod) -> bool:
    conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", ())}
    return "deletionTimestamp" not in pod["metadata"] and conditions.get("Ready") == "True"
