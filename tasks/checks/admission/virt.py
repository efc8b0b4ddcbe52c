"""ADM-VIRT: a node is a machine with a kernel of its own, under KVM (the source article, point 7).

A container that hides its name still has another PID namespace, no kernel threads, no modules, and the same
boot as its neighbours: a shared kernel is looked for by all of these signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, answers, finding, named
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import kernel_instance, virtualization

CODE = "ADM-VIRT"
_EXPECTED = "KVM, a kernel of its own, and no sign of a container or of another hypervisor"
_REMEDY = "order a KVM server; a neighbour's load in a shared kernel cannot be tuned away"
_ASK = "look at the host's console or ask the provider; then waive this check by name, with the answer"


def judge(
    found: virtualization.Virtualization,
    mine: kernel_instance.KernelInstance,
    others: Mapping[str, kernel_instance.KernelInstance],
) -> Judged:
    """A container by any one certain sign, or two uncertain ones; KVM only by two signs that agree.

    `others` are the kernels of the other hosts, by name.
    """
    certain = [*found.container_signs, *mine.container_signs()]
    same = [name for name, other in others.items() if mine.shares_boot_id(other)]
    if same:
        certain.append(f"the boot id is also that of {named(same)}")
    alike = [name for name, other in others.items() if name not in same and mine.looks_like(other)]
    uncertain = []
    if alike:
        uncertain.append(f"booted at the same instant, and as many processes since, as {named(alike)}")
    if not mine.has_modules:
        uncertain.append("the running kernel's modules are not on this machine")
    virtual, kvm = found.signs["detect_vm"], found.kvm_signs
    if certain or len(uncertain) > 1:
        return Judged(Verdict.FAIL, "a container: " + "; ".join([*certain, *uncertain]), _REMEDY)
    if virtual not in ("kvm", "amazon"):
        kind = "no virtualization" if virtual in ("", "none") else virtual
        return Judged(Verdict.FAIL, f"not KVM: systemd-detect-virt says {kind}", _REMEDY)
    if uncertain:
        return Judged(Verdict.INCONCLUSIVE, f"one sign of a shared kernel: {uncertain[0]}", _ASK)
    if len(kvm) < 2:
        return Judged(Verdict.INCONCLUSIVE, "only one sign of KVM: " + "; ".join(kvm), _ASK)
    return Judged(Verdict.PASS, "; ".join(kvm))


def run(context: Admission) -> Iterable[Finding]:
    """Compare all the hosts that answer."""
    signs, instance = virtualization.ask(), kernel_instance.ask()
    found, kernels, told = {}, {}, {}
    for name, facts in answers(context, (signs, instance)).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            found[name], kernels[name], told[name] = facts.of(signs), facts.of(instance), facts
        except OutsideError as error:
            yield unseen(CODE, name, _EXPECTED, Severity.CRITICAL, error)
    for name, facts in told.items():
        others = {other: kernel for other, kernel in kernels.items() if other != name}
        said = judge(found[name], kernels[name], others)
        yield finding(context, CODE, name, _EXPECTED, Severity.CRITICAL, said, signs, facts)


CHECK = Check(CODE, "Hosts are KVM machines", "admission", Severity.CRITICAL, run)
