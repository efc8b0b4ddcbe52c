"""CLU-RESERVED: the node's own programs have memory and processor time that pods cannot take.

Without it a node whose pods take everything loses its kubelet first, and then all of its pods (Kubernetes'
documentation, "Reserve Compute Resources for System Daemons").
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import ControlPlane
from tasks.checks.controlplane.kubelets import running
from tasks.checks.controlplane.looking import Said, finding
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts.kubelet_config import KubeletConfig

CODE = "CLU-RESERVED"
EXPECTED = "kubeReserved or systemReserved names memory and cpu"


def judge(node: str, kubelet: KubeletConfig) -> Said:
    """One kubelet."""
    missing = [
        resource
        for resource in ("memory", "cpu")
        if resource not in kubelet.kube_reserved and resource not in kubelet.system_reserved
    ]
    if missing:
        return Said(
            node,
            Verdict.FAIL,
            f"no {' and no '.join(missing)} is reserved for the node's own programs",
            "run `safe-harbor prepare SITE`: it sets both from the node's size and roles",
        )
    told = ", ".join(
        f"{name} {kept['cpu']} cpu and {kept['memory']} memory" if len(kept) > 1 else f"{name} {dict(kept)}"
        for name, kept in (("Kubernetes", kubelet.kube_reserved), ("system", kubelet.system_reserved))
        if kept
    )
    return Said(node, Verdict.PASS, told)


def run(context: ControlPlane) -> Iterable[Finding]:
    """Judge every declared node."""
    for name, kubelet in running(context):
        if isinstance(kubelet, OutsideError):
            yield unseen(CODE, name, EXPECTED, Severity.MEDIUM, kubelet)
            continue
        raw = f"kubeReserved {dict(kubelet.kube_reserved)}, systemReserved {dict(kubelet.system_reserved)}"
        yield finding(context, CODE, EXPECTED, Severity.MEDIUM, judge(name, kubelet), f"{name}: configz", raw)


CHECK = Check(CODE, "The node's own programs have their share", "controlplane", Severity.MEDIUM, run)
