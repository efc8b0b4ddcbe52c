"""CLU-CERT: no certificate runs out unseen.

A kubelet renews its own when 10 to 30 % of a year are left, which is never less than 36 days, and `prepare`
renews ours from 60 days on: with fewer than 30 days left, what should have renewed it does not work. Under 7
days it is a failure (the alarm of the kubernetes-mixin). A new authority is a plan for every node, and so it
is told a year before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.asking import answer, ask_hosts
from tasks.checks.context import ControlPlane
from tasks.checks.controlplane.looking import Said, finding
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import certificates
from tasks.facts.certificates import Certificate

CODE = "CLU-CERT"
WARN_DAYS, FAIL_DAYS = 30, 7
AUTHORITY_WARN_DAYS, AUTHORITY_FAIL_DAYS = 365, 30
EXPECTED = (
    f"{WARN_DAYS} days left (an authority: {AUTHORITY_WARN_DAYS}); it fails under {FAIL_DAYS} "
    f"({AUTHORITY_FAIL_DAYS})"
)
_OURS = ("/etc/etcd/", "/etc/safe-harbor/", "/etc/kubernetes/pki/apiserver-etcd-client")


def days_left(certificate: Certificate, now: datetime) -> int:
    """Whole days until it runs out, rounded down; negative where it has."""
    return (certificate.not_after - now).days


def judge(subject: str, found: Iterable[Certificate], now: datetime) -> Said:
    """The certificates of one host; the first to run out is named."""
    ordered = sorted(found, key=lambda each: each.not_after)
    if not ordered:
        return Said(subject, Verdict.NODATA, "no certificate was found", "run `safe-harbor prepare SITE`")
    verdicts = {each: _verdict(each, days_left(each, now)) for each in ordered}
    wrong = [each for each in ordered if verdicts[each] is not Verdict.PASS]
    if not wrong:
        first = ordered[0]
        left = days_left(first, now)
        said = f"{len(ordered)} certificates; the first to run out is {first.path}, {left} days left"
        return Said(subject, Verdict.PASS, said)
    worst = Verdict.FAIL if Verdict.FAIL in verdicts.values() else Verdict.WARN
    told = "; ".join(_told(each, days_left(each, now)) for each in wrong)
    return Said(subject, worst, told, "; ".join(dict.fromkeys(_remedy(each) for each in wrong)))


def _verdict(certificate: Certificate, days: int) -> Verdict:
    warn, fail = (
        (AUTHORITY_WARN_DAYS, AUTHORITY_FAIL_DAYS) if certificate.is_authority else (WARN_DAYS, FAIL_DAYS)
    )
    return Verdict.FAIL if days < fail else Verdict.WARN if days < warn else Verdict.PASS


def _told(certificate: Certificate, days: int) -> str:
    when = f"{certificate.not_after:%F}"
    return f"{certificate.path} " + (f"has {days} days left ({when})" if days >= 0 else f"ran out on {when}")


def _remedy(certificate: Certificate) -> str:
    if certificate.is_authority:
        return "plan a new authority: every node and kubeconfig gets new certificates (runbooks/prepare.md)"
    if certificate.path.startswith(_OURS):
        return "run `safe-harbor prepare SITE`: it renews from 60 days on"
    if certificate.path.startswith("/var/lib/kubelet/pki/kubelet.crt"):
        return "on the node: rm /var/lib/kubelet/pki/kubelet.crt && systemctl restart kubelet"
    if certificate.path.startswith(("/var/lib/kubelet/", "/etc/kubernetes/kubelet.conf")):
        return "on the node: systemctl restart kubelet, and journalctl -u kubelet for why it does not renew"
    return "on the node: kubeadm certs renew all, then restart its control plane (runbooks/upgrade.md)"


def run(context: ControlPlane) -> Iterable[Finding]:
    """Judge every host."""
    asked = certificates.ask()
    now = context.clock.now()
    for name, facts in ask_hosts(context.hosts, dict.fromkeys(context.hosts, (asked,))).items():
        try:
            found = answer(facts, asked)
        except OutsideError as error:
            yield unseen(CODE, name, EXPECTED, Severity.HIGH, error)
            continue
        raw = "\n".join(f"{each.path} {each.name} {each.not_after.isoformat()}" for each in found)
        yield finding(
            context, CODE, EXPECTED, Severity.HIGH, judge(name, found, now), f"{name}: certificates", raw
        )


CHECK = Check(CODE, "No certificate runs out unseen", "controlplane", Severity.HIGH, run)
