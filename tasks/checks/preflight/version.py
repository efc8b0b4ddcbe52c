"""PRE-VERSION: the programs are of the declared version, and so is the cluster, where there is one already.

`prepare` brings programs to every node at once. To another version of Kubernetes there is only `upgrade`.
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory.errors import BadInput
from inventory.kubernetes_version import Version
from inventory.models.cluster import Cluster, Role
from inventory.models.finding import Finding, Grade, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, finding
from tasks.checks.asking import answer, ask_hosts
from tasks.checks.context import Admission
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.drivers.local_program import kubernetes_version
from tasks.facts import control_plane

CODE = "PRE-VERSION"
EXPECTED = "programs and control planes of the version that the site file declares"


def judge(declared: Version, running: Version | None) -> Judged:
    """One control plane; None where none runs there yet."""
    if running is not None and running != declared:
        return Judged(
            Verdict.FAIL,
            f"a control plane of {running} runs, declared is {declared}",
            f"`safe-harbor upgrade SITE --to {declared}`, or write version: {running} into the site file",
        )
    return Judged(Verdict.PASS, f"{running} runs" if running else "no control plane runs yet")


def _of_programs(context: Admission, cluster: Cluster, declared: Version) -> Finding:
    try:
        found = str(kubernetes_version(cluster.programs))
        verdict = Verdict.PASS if found == str(declared) else Verdict.FAIL
    except BadInput as error:
        found, verdict = str(error), Verdict.FAIL
    said = f"{cluster.programs}: {found}"
    return Finding(
        code=CODE,
        subject="programs",
        verdict=verdict,
        observed=said,
        expected=EXPECTED,
        evidence=(observed(context.clock, "kubeadm version", said, Grade.E2),),
        remedy="" if verdict is Verdict.PASS else f"give the programs of {declared}: target.cluster.programs",
        severity=Severity.CRITICAL,
    )


def run(context: Admission) -> Iterable[Finding]:
    """Ask kubeadm on this machine, and every control plane."""
    cluster = context.site.target.cluster
    if not isinstance(cluster, Cluster):
        return  # a cluster that is only looked at declares no version
    declared = Version.of(cluster.version)
    yield _of_programs(context, cluster, declared)
    asked = control_plane.ask()
    planes = [node.name for node in context.site.target.having(Role.CONTROL_PLANE)]
    for name, facts in ask_hosts(context.hosts, dict.fromkeys(planes, (asked,))).items():
        try:
            said = judge(declared, answer(facts, asked))
        except OutsideError as error:
            yield unseen(CODE, name, EXPECTED, Severity.CRITICAL, error)
            continue
        if not isinstance(facts, OutsideError):
            yield finding(context, CODE, name, EXPECTED, Severity.CRITICAL, said, asked, facts)


CHECK = Check(CODE, "The version is the declared one", "preflight", Severity.CRITICAL, run)
