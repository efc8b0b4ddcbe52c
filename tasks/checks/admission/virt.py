"""ADM-VIRT: a node is a machine with a kernel of its own, under KVM (the source article, point 7)."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import virtualization

CODE = "ADM-VIRT"
_EXPECTED = "KVM, and no sign of a container or of another hypervisor"
_REMEDY = "order a KVM server; a neighbour's load in a shared kernel cannot be tuned away"


def judge(_: str, found: virtualization.Virtualization) -> Judged:
    """A container by any one sign; KVM only by two that agree."""
    container, kvm = found.container_signs, found.kvm_signs
    if container:
        return Judged(Verdict.FAIL, "a container: " + "; ".join(container), _REMEDY)
    virtual = found.signs["detect_vm"]
    if virtual not in ("kvm", "amazon"):
        named = "no virtualization" if virtual in ("", "none") else virtual
        return Judged(Verdict.FAIL, f"not KVM: systemd-detect-virt says {named}", _REMEDY)
    if len(kvm) < 2:
        return Judged(
            Verdict.INCONCLUSIVE,
            "only one sign of KVM: " + "; ".join(kvm),
            "look at the host's console or ask the provider; then waive this check by name, with the answer",
        )
    return Judged(Verdict.PASS, "; ".join(kvm))


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    return each_host(context, CODE, _EXPECTED, Severity.CRITICAL, virtualization.ask(), judge)


CHECK = Check(CODE, "Hosts are KVM machines", "admission", Severity.CRITICAL, run)
