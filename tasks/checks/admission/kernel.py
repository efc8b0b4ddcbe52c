"""ADM-KERNEL: the kernel is new enough, of our architecture, and has what the network needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.cluster import ProxyMode
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.profile_files import load_profile
from tasks.checks.admission.looking import Judged, answers, finding
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import modules, os_release

CODE = "ADM-KERNEL"
# kubeadm's own validator asks for 4.19; kube-proxy in nftables mode for 5.13 (reference of the data plane).
MINIMUM = (4, 19)
MINIMUM_NFTABLES = (5, 13)
MACHINES = ("x86_64",)


def judge(system: os_release.System, states: Mapping[str, modules.State], minimum: tuple[int, int]) -> Judged:
    """Every reason at once."""
    wrong = []
    if system.kernel_version < minimum:
        wrong.append(f"kernel {system.kernel} is older than {minimum[0]}.{minimum[1]}")
    if system.machine not in MACHINES:
        wrong.append(f"machine {system.machine} is not {' or '.join(MACHINES)}")
    missing = sorted(name for name, state in states.items() if state is modules.State.MISSING)
    if missing:
        wrong.append(f"the kernel lacks {', '.join(missing)}")
    if wrong:
        remedy = "install the distribution's ordinary kernel (apt-get install linux-image-amd64) and reboot"
        return Judged(Verdict.FAIL, "; ".join(wrong), remedy)
    return Judged(
        Verdict.PASS, f"{system.name}, kernel {system.kernel}; {', '.join(sorted(states))} are there"
    )


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    proxy = context.site.target.cluster.kube_proxy.mode
    minimum = MINIMUM_NFTABLES if proxy is ProxyMode.NFTABLES else MINIMUM
    system = os_release.ask()
    wanted = modules.ask(load_profile(context.site.profile, context.site.profiles).modules)
    expected = f"Linux {minimum[0]}.{minimum[1]} or newer with the modules of profile {context.site.profile}"
    for name, facts in answers(context, (system, wanted)).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            said = judge(facts.of(system), facts.of(wanted), minimum)
        except OutsideError as error:
            yield unseen(CODE, name, expected, Severity.CRITICAL, error)
            continue
        yield finding(context, CODE, name, expected, Severity.CRITICAL, said, wanted, facts)


CHECK = Check(CODE, "The kernel has what the network needs", "admission", Severity.CRITICAL, run)
