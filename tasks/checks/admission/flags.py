"""ADM-FLAGS: the processors have what today's programs are built for, the same on every host.

x86-64-v2 is a level of the x86-64 psABI: distributions build for it, and their images die with an
illegal instruction without it. A virtual processor of an old default model (qemu64, kvm64) has less than the
real one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, answers, finding
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import cpu_flags

CODE = "ADM-FLAGS"
X86_64_V2 = frozenset({"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"})  # pni is SSE3
# Without them TLS and WireGuard cost a multiple of the processor time, or clocks and keys are slow.
WANTED = frozenset({"aes", "pclmulqdq", "rdrand", "constant_tsc"})
_EXPECTED = "x86-64-v2, AES, carry-less multiplication, RDRAND, a constant TSC; the same on every host"
_REMEDY = (
    "give the guest the host's own processor model: <cpu mode='host-passthrough'/> (virsh edit), restart it"
)


def judge(name: str, flags: Mapping[str, frozenset[str]]) -> Judged:
    """This host by itself, then beside the others."""
    mine = flags[name]
    lacking = sorted(X86_64_V2 - mine)
    if lacking:
        return Judged(Verdict.FAIL, f"not x86-64-v2: {', '.join(lacking)} missing", _REMEDY)
    wrong = []
    slow = sorted(WANTED - mine)
    if slow:
        wrong.append(f"{', '.join(slow)} missing")
    odd = sorted(frozenset.union(*flags.values()) - mine)
    if odd:
        wrong.append(f"other hosts have {', '.join(odd[:8])}{' and more' if len(odd) > 8 else ''}")
    if wrong:
        return Judged(Verdict.WARN, "; ".join(wrong), _REMEDY)
    return Judged(Verdict.PASS, f"x86-64-v2 and {', '.join(sorted(WANTED))}, the same on {len(flags)} hosts")


def run(context: Admission) -> Iterable[Finding]:
    """Compare all the hosts that answer."""
    asked = cpu_flags.ask()
    flags, told = {}, {}
    for name, facts in answers(context, (asked,)).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            flags[name], told[name] = facts.of(asked), facts
        except OutsideError as error:
            yield unseen(CODE, name, _EXPECTED, Severity.HIGH, error)
    for name, facts in told.items():
        yield finding(context, CODE, name, _EXPECTED, Severity.HIGH, judge(name, flags), asked, facts)


CHECK = Check(CODE, "Processors have the features that programs need", "admission", Severity.HIGH, run)
