"""ADM-SSH: nobody gets in with a password, root least of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import sshd

CODE = "ADM-SSH"
_EXPECTED = "keys only: no empty passwords, no password for root, and best none for anybody"


def judge(_: str, found: Mapping[str, str]) -> Judged:
    """An empty password, or root by password, fails; a password for others is a warning."""
    passwords = [
        name for name in ("passwordauthentication", "kbdinteractiveauthentication") if found[name] == "yes"
    ]
    wrong = []
    if found["permitemptypasswords"] == "yes" and passwords:
        wrong.append("empty passwords are taken")
    if found["permitrootlogin"] == "yes" and passwords:
        wrong.append("root may log in with a password")
    said = ", ".join(f"{name} {value}" for name, value in found.items())
    remedy = (
        "write `PasswordAuthentication no`, `KbdInteractiveAuthentication no` and `PermitRootLogin "
        "prohibit-password` into /etc/ssh/sshd_config.d/10-keys-only.conf, then: systemctl reload ssh"
    )
    if wrong:
        return Judged(Verdict.FAIL, f"{'; '.join(wrong)} ({said})", remedy)
    if passwords:
        return Judged(Verdict.WARN, f"passwords are taken ({said})", remedy)
    return Judged(Verdict.PASS, said)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    return each_host(context, CODE, _EXPECTED, Severity.MEDIUM, sshd.ask(), judge)


CHECK = Check(CODE, "Logins take keys only", "admission", Severity.MEDIUM, run)
