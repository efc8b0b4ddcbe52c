"""CLU-KERNEL: the nodes do not share a kernel (the source article, point 7), as far as the API shows it.

A container manager gives every node a boot id and a machine id of its own; what it cannot hide are the
kernel's counts: of its tasks, and of what its disk has read and written since it was booted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.cluster.asking import Seen, nodes, on_each, says
from tasks.checks.context import Cluster
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.drivers.errors import OutsideError
from tasks.facts.kubelet_usage import CADVISOR, SUMMARY, Disk, parse_disk, parse_tasks

CODE = "CLU-KERNEL"
KUBELET = 10250
_EXPECTED = "every node has a kernel of its own"
_REMEDY = "move to KVM servers: a neighbour's load in a shared kernel cannot be tuned away"
# Kernels that container hosts run: OpenVZ's, and Proxmox's, which a KVM guest never boots.
_CONTAINER_HOST = re.compile(r"\d(stab\d|\.vz\d)|-pve$")
_ALIKE = 0.03  # two answers are seconds apart, and kubelet keeps its own for some: counts go on meanwhile
_ALIKE_FULL = 0.001  # what a disk holds hardly changes in that time


@dataclass(frozen=True)
class Usage:
    """What one kubelet told; None is what it did not tell, `why` the reason."""

    tasks: int | None
    disk: Disk | None
    evidence: tuple[Evidence, ...]
    why: str = ""


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
        found: dict[str, str] = {}
        for other in seen:
            if other.name != mine.name:
                found = signs(mine, usage, other, usages[other.name]) | found
        kernel = mine.info.get("kernelVersion", "")
        certain = [f"kernel {kernel} is a container host's"] if _CONTAINER_HOST.search(kernel) else []
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
    told: dict[str, int | Disk | None] = {SUMMARY: None, CADVISOR: None}
    evidence, why = [], []
    for page, parse in ((SUMMARY, parse_tasks), (CADVISOR, parse_disk)):
        try:
            told[page] = parse(context.kube.node_get(name, KUBELET, page))
        except OutsideError as error:
            why.append(error.what)
            continue
        except (ValueError, KeyError, TypeError) as error:
            why.append(f"{page} cannot be understood: {error!r}")
            continue
        source = f"kubectl get --raw /api/v1/nodes/{name}:{KUBELET}/proxy/{page}"
        evidence.append(observed(context.clock, source, json.dumps(told[page], default=vars)))
    tasks, disk = told[SUMMARY], told[CADVISOR]
    return Usage(
        tasks if isinstance(tasks, int) else None,
        disk if isinstance(disk, Disk) else None,
        tuple(evidence),
        "; ".join(why) or "it names no disk",
    )


CHECK = Check(CODE, "Nodes have kernels of their own", "cluster", Severity.CRITICAL, run)
