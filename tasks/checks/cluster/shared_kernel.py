"""CLU-KERNEL: the nodes do not share a kernel (the source article, point 7), as far as the API shows it.

A container manager gives every node a boot id and a machine id of its own; what it cannot hide are the
kernel's counts: of its tasks, and of what its disk has read and written since it was booted. What it cannot
give are the kernel's own threads, and a disk that kubelet can count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from inventory.kubernetes_version import Version
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.cluster.asking import Seen, nodes, on_each, says
from tasks.checks.context import Cluster
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.drivers.errors import OutsideError
from tasks.facts.kubelet_usage import CADVISOR, SUMMARY, Disk, parse_disk, parse_processes, parse_tasks

CODE = "CLU-KERNEL"
KUBELET = 10250
_EXPECTED = "every node has a kernel of its own"
_REMEDY = "move to KVM servers: a neighbour's load in a shared kernel cannot be tuned away"
# Kernels that container hosts run: OpenVZ's, and Proxmox's, which a KVM guest never boots.
_CONTAINER_HOST = re.compile(r"\d(stab\d|\.vz\d)|-pve$")
_ALIKE = 0.03  # two answers are seconds apart, and kubelet keeps its own for some: counts go on meanwhile
_THREADS = 30  # 65 on a kernel of two processors; a container has none, and its own processes instead
_COUNTS_DISKS = (1, 10)  # the first release whose kubelets count the node's disk unless they are told not to
_ALIKE_FULL = 0.001  # what a disk holds hardly changes in that time


@dataclass(frozen=True)
class Usage:
    """What one kubelet told; None is what it did not tell, `why` the reason."""

    tasks: int | None
    processes: int | None
    disk: Disk | None
    evidence: tuple[Evidence, ...]
    why: str = ""


def own_signs(mine: Seen, usage: Usage) -> dict[str, str]:
    """Every kind of sign that a node alone gives of being a container, in words."""
    found = {}
    if usage.processes is not None and usage.processes < _THREADS:
        found["threads"] = (
            f"its root cgroup holds {usage.processes} processes, too few for a kernel's own threads"
        )
    capacity = mine.node["status"].get("capacity")
    if capacity and "ephemeral-storage" not in capacity and _counts_disks(mine):
        found["storage"] = "its kubelet is told to count no disk, which it needs in a container"
    return found


def _counts_disks(mine: Seen) -> bool:
    try:
        release = Version.of(mine.info.get("kubeletVersion", ""))
    except ValueError:
        return False
    return (release.major, release.minor) >= _COUNTS_DISKS


def signs(mine: Seen, usage: Usage, other: Seen, theirs: Usage) -> dict[str, str]:
    """Every kind of sign that two nodes share a kernel, in words."""
    found = {}
    for key, what in (("bootID", "boot id"), ("systemUUID", "product UUID")):
        if mine.info.get(key) and mine.info.get(key) == other.info.get(key):
            found[what] = f"its {what} is also {other.name}'s"
    if usage.tasks and theirs.tasks and _alike((usage.tasks,), (theirs.tasks,), _ALIKE):
        found["tasks"] = f"its kernel counts {usage.tasks} tasks, {other.name}'s {theirs.tasks}"
    a, b = usage.disk, theirs.disk
    if a and b and a.size == b.size:
        if _alike((a.used, a.inodes), (b.used, b.inodes), _ALIKE_FULL):
            found["disk"] = f"its disk is as large and as full as {other.name}'s, to a thousandth"
        if a.reads and a.writes and _alike((a.reads, a.writes), (b.reads, b.writes), _ALIKE):
            found["counts"] = (
                f"its disk has done {a.reads} reads and {a.writes} writes, as {other.name}'s has"
            )
    return found


def _alike(mine: tuple[int, ...], theirs: tuple[int, ...], share: float) -> bool:
    return all(abs(a - b) <= share * max(a, b) for a, b in zip(mine, theirs, strict=True))


def run(context: Cluster) -> Iterable[Finding]:
    """One finding a node: two kinds of signs fail, one is shown."""
    seen = nodes(context)
    usages = on_each(seen, lambda each: _usage(context, each.name))
    for mine in seen:
        usage = usages[mine.name]
        found = own_signs(mine, usage)
        for other in seen:
            if other.name != mine.name:
                found = signs(mine, usage, other, usages[other.name]) | found
        kernel = mine.info.get("kernelVersion", "")
        certain = [f"kernel {kernel} is a container host's"] if _CONTAINER_HOST.search(kernel) else []
        if mine.node["status"]["nodeInfo"].get("runningInUserNamespace") is True:
            certain.append("kubelet says that it runs in a user namespace")
        told = "; ".join([*certain, *found.values()])
        remedy = _REMEDY
        if certain or len(found) > 1:
            verdict, what = Verdict.FAIL, f"a shared kernel: {told}"
        elif found:
            verdict, what = Verdict.WARN, f"one sign of a shared kernel: {told}"
        elif usage.tasks is None and usage.disk is None:
            verdict, what = Verdict.NODATA, f"kubelet told nothing of its machine: {usage.why}"
            remedy = "give the kubeconfig's user the right to get nodes/proxy, or declare the nodes with SSH"
        else:
            verdict, what = Verdict.PASS, f"kernel {kernel}; nothing of it in common with another node's"
        evidence = (mine.evidence, *usage.evidence)
        yield says(CODE, Severity.CRITICAL, _EXPECTED, mine.name, verdict, what, evidence, remedy)


def _usage(context: Cluster, name: str) -> Usage:
    told: dict[str, Any] = {}
    evidence, why = [], []
    pages: tuple[tuple[str, Callable[[str], Any]], ...] = (
        (SUMMARY, lambda text: {"tasks": parse_tasks(text)}),
        (CADVISOR, lambda text: {"processes": parse_processes(text), "disk": parse_disk(text)}),
    )
    for page, parse in pages:
        try:
            seen = parse(context.kube.node_get(name, KUBELET, page))
        except OutsideError as error:
            why.append(error.what)
            continue
        except (ValueError, KeyError, TypeError) as error:
            why.append(f"{page} cannot be understood: {error!r}")
            continue
        source = f"kubectl get --raw /api/v1/nodes/{name}:{KUBELET}/proxy/{page}"
        evidence.append(observed(context.clock, source, json.dumps(seen, default=vars)))
        told |= seen
    return Usage(
        told.get("tasks"),
        told.get("processes"),
        told.get("disk"),
        tuple(evidence),
        "; ".join(why) or "it names no disk",
    )


CHECK = Check(CODE, "Nodes have kernels of their own", "cluster", Severity.CRITICAL, run)
