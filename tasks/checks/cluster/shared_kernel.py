"""CLU-KERNEL: the nodes do not share a kernel (the source article, point 7), as far as the API shows it.

A container manager gives every node a boot id and a machine id of its own; what it cannot hide are the
kernel's count of tasks (/proc/loadavg, as kubelet passes it on) and how full the machine's disk is.
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

CODE = "CLU-KERNEL"
KUBELET = 10250
_EXPECTED = "every node has a kernel of its own"
_REMEDY = "move to KVM servers: a neighbour's load in a shared kernel cannot be tuned away"
# Kernels that container hosts run: OpenVZ's, and Proxmox's, which a KVM guest never boots.
_CONTAINER_HOST = re.compile(r"\d(stab\d|\.vz\d)|-pve$")
_ALIKE_TASKS, _ALIKE_DISK = 0.03, 0.001  # two answers are seconds apart, and kubelet keeps its own for some


@dataclass(frozen=True)
class Usage:
    """What kubelet tells of the machine under it: the kernel's tasks, and what is used of the node's disk."""

    tasks: int
    disk: (
        tuple[int, int, int] | None
    )  # its size, bytes used, inodes used; None where kubelet does not count it

    def same_tasks(self, other: Usage) -> bool:
        """As many tasks, give or take those that came meanwhile."""
        return _alike(self.tasks, other.tasks, _ALIKE_TASKS)

    def same_disk(self, other: Usage) -> bool:
        """A disk of the same size, equally full by bytes and by inodes."""
        if self.disk is None or other.disk is None:
            return False
        size, *used = self.disk
        other_size, *other_used = other.disk
        return size == other_size and all(
            _alike(a, b, _ALIKE_DISK) for a, b in zip(used, other_used, strict=True)
        )


def _alike(a: int, b: int, share: float) -> bool:
    return abs(a - b) <= share * max(a, b)


def parse_usage(text: str) -> Usage:
    """kubelet's /stats/summary. Raises ValueError or KeyError where it is something else."""
    node = json.loads(text)["node"]
    tasks, disk = int(node["rlimit"]["curproc"]), node.get("fs") or {}
    if not {"capacityBytes", "availableBytes", "inodesUsed"} <= disk.keys():
        return Usage(tasks, None)
    size = int(disk["capacityBytes"])
    return Usage(tasks, (size, size - int(disk["availableBytes"]), int(disk["inodesUsed"])))


def signs(mine: Seen, usage: Usage | None, others: dict[str, tuple[Seen, Usage | None]]) -> list[str]:
    """Every sign that this node shares its kernel with another, in words."""
    found = []
    for name, (other, theirs) in others.items():
        for key, what in (("bootID", "boot id"), ("systemUUID", "product UUID")):
            if mine.info.get(key) and mine.info.get(key) == other.info.get(key):
                found.append(f"its {what} is also {name}'s")
        if usage and theirs and usage.same_tasks(theirs):
            found.append(f"its kernel counts {usage.tasks} tasks, {name}'s {theirs.tasks}")
        if usage and theirs and usage.same_disk(theirs):
            found.append(f"its disk is as large and as full as {name}'s, to a thousandth")
    return found


def run(context: Cluster) -> Iterable[Finding]:
    """One finding a node: two different signs fail, one is shown."""
    seen = {each.name: each for each in nodes(context)}
    asked = on_each(list(seen.values()), lambda each: _usage(context, each.name))
    for name, mine in seen.items():
        usage, evidence, why = asked[name]
        others = {other: (seen[other], asked[other][0]) for other in seen if other != name}
        kernel = mine.info.get("kernelVersion", "")
        certain = [f"kernel {kernel} is a container host's"] if _CONTAINER_HOST.search(kernel) else []
        found = signs(mine, usage, others)
        kinds = {sign.split(" is ")[0].split(" counts ")[0] for sign in found}
        if certain or len(kinds) > 1:
            verdict, what = Verdict.FAIL, "a shared kernel: " + "; ".join([*certain, *found])
        elif found:
            verdict, what = Verdict.WARN, "one sign of a shared kernel: " + "; ".join(found)
        elif usage is None:
            verdict, what = Verdict.NODATA, f"kubelet was not asked for its statistics: {why}"
        else:
            verdict, what = Verdict.PASS, f"kernel {kernel}, {usage.tasks} tasks; nothing of it in common"
        remedy = _REMEDY if found or certain else "give the kubeconfig's user the right to get nodes/proxy"
        yield says(
            CODE, Severity.CRITICAL, _EXPECTED, name, verdict, what, (mine.evidence, *evidence), remedy
        )


def _usage(context: Cluster, name: str) -> tuple[Usage | None, tuple[Evidence, ...], str]:
    try:
        text = context.kube.node_get(name, KUBELET, "stats/summary")
        usage = parse_usage(text)
    except OutsideError as error:
        return None, (), error.what
    except (ValueError, KeyError, TypeError) as error:
        return None, (), f"its answer cannot be understood: {error!r}"
    source = f"kubectl get --raw /api/v1/nodes/{name}:{KUBELET}/proxy/stats/summary"
    told = json.dumps({"tasks": usage.tasks, "disk": usage.disk})
    return usage, (observed(context.clock, source, told),), ""


CHECK = Check(CODE, "Nodes have kernels of their own", "cluster", Severity.CRITICAL, run)
