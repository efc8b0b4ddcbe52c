"""ADM-ENTROPY: the kernel's random numbers are seeded, so that no key waits or is weak."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import entropy

CODE = "ADM-ENTROPY"
SEEDED_BITS = 256  # what the kernel's generator wants before it counts as seeded (drivers/char/random.c)


def judge(_: str, found: entropy.Entropy) -> Judged:
    """Bits that are there, and where more come from."""
    said = f"{found.bits} bits, {f'fed by {found.source}' if found.source else 'no hardware source'}"
    if found.bits < SEEDED_BITS:
        remedy = "give the guest a virtio-rng device, or install rng-tools5"
        return Judged(Verdict.FAIL, said, remedy)
    return Judged(Verdict.PASS, said)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    return each_host(context, CODE, f"at least {SEEDED_BITS} bits", Severity.MEDIUM, entropy.ask(), judge)


CHECK = Check(CODE, "Random numbers are seeded", "admission", Severity.MEDIUM, run)
