"""ADM-CLOCK: the host's clock is right, and something keeps it so (certificates and etcd depend on it)."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, answers, finding
from tasks.checks.asking import answer
from tasks.checks.context import Admission
from tasks.checks.registry import ROUND_TRIP, Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Host
from tasks.facts import clock
from tasks.facts.gather import gather

CODE = "ADM-CLOCK"
LIMIT_S = 0.5  # etcd warns from one second of difference between members
_AT_ONCE = 4
_EXPECTED = f"at most {LIMIT_S:g} s off this machine's clock and off its NTP servers, and kept by NTP"


def judge(offset_s: float, doubt_s: float, synchronized: bool, ntp_offset_s: float | None = None) -> Judged:
    """`offset_s` is the host's clock minus ours; `doubt_s` half the round trip in which it was asked.

    `ntp_offset_s` is how far the host's NTP client says it is off, None where it does not say.
    """
    said = (
        f"{offset_s:+.3f} s (within {doubt_s:.3f} s), NTP {'keeps' if synchronized else 'does not keep'} it"
    )
    if ntp_offset_s is not None:
        said += f", {ntp_offset_s:+.6f} s off its servers"
    if ntp_offset_s is not None and abs(ntp_offset_s) > LIMIT_S:
        return Judged(
            Verdict.FAIL, said, "look at the host's NTP servers: chronyc sources, timedatectl timesync-status"
        )
    if abs(offset_s) - doubt_s > LIMIT_S:
        return Judged(Verdict.FAIL, said, "run on the host: systemctl enable --now systemd-timesyncd")
    if abs(offset_s) + doubt_s > LIMIT_S:
        return Judged(Verdict.INCONCLUSIVE, said, "run the check again from a machine that is nearer")
    if not synchronized:
        return Judged(Verdict.WARN, said, "run on the host: systemctl enable --now systemd-timesyncd")
    return Judged(Verdict.PASS, said)


def run(context: Admission) -> Iterable[Finding]:
    """Ask for the time a few at once: the round trip is the doubt, and a busy machine here adds to it.

    What keeps it is asked before, of all at once: it may take systemd a second, and makes the connections.
    """
    now, keeping = clock.ask_now(), clock.ask_keeping()
    keepers = answers(context, (keeping,))

    def one(host: Host) -> Finding:
        try:
            kept = answer(keepers[host.name], keeping)
            before = context.clock.now()
            facts = gather(host, (now,))
            half: timedelta = (context.clock.now() - before) / 2
            there = facts.of(now)
        except OutsideError as error:
            return unseen(CODE, host.name, _EXPECTED, Severity.HIGH, error)
        offset = (there - (before + half)).total_seconds()
        said = judge(offset, half.total_seconds(), kept.synchronized, kept.offset_s)
        return finding(context, CODE, host.name, _EXPECTED, Severity.HIGH, said, now, facts)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(one, context.hosts.values()))


CHECK = Check(CODE, "Clocks are right", "admission", Severity.HIGH, run, alone=ROUND_TRIP)
