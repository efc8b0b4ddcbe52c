"""PRE-CHECKSUMS: the programs are those whose digests lie beside them, in `SHA256SUMS`.

What arrives on a node is verified against the lead's copy in any case; only a list that came with the
programs says that this copy is what was published.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from inventory.errors import BadInput
from inventory.models.cluster import Cluster
from inventory.models.finding import Finding, Grade, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged
from tasks.checks.context import Admission
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.drivers import checksums

CODE = "PRE-CHECKSUMS"
EXPECTED = f"a {checksums.NAME} beside the programs, which agrees with them"
NEEDED = ("containerd", "etcd", "flanneld")
KUBERNETES = ("kubernetes", "kubelet")  # one of them, as the programs come


def judge(listed: Mapping[str, str] | None, differing: Collection[str]) -> Judged:
    """The list, and which files are not as it says."""
    if listed is None:
        return Judged(
            Verdict.WARN,
            f"there is no {checksums.NAME}: nothing says that these are the programs that were meant",
            f"put the list that came with them beside them, as {checksums.NAME}",
        )
    if differing:
        return Judged(
            Verdict.FAIL,
            f"not as listed: {', '.join(sorted(differing)[:5])}",
            "fetch the programs again from where they are published",
        )
    missing = [name for name in NEEDED if name not in listed]
    if not any(name in listed for name in KUBERNETES):
        missing.append(KUBERNETES[0])
    if missing:
        return Judged(
            Verdict.WARN, f"the list has no {', '.join(missing)}", "use a list that has every program"
        )
    return Judged(Verdict.PASS, f"{len(listed)} programs are as listed")


def run(context: Admission) -> Iterable[Finding]:
    """Judge the lead's folder of programs."""
    cluster = context.site.target.cluster
    if not isinstance(cluster, Cluster):
        return  # a cluster that is only looked at has no programs here
    try:
        listed = checksums.read(cluster.programs)
        said = judge(listed, checksums.differing(cluster.programs, listed) if listed else ())
    except (BadInput, OSError) as error:
        said = Judged(Verdict.FAIL, str(error), f"correct {checksums.NAME}")
    yield Finding(
        code=CODE,
        subject="programs",
        verdict=said.verdict,
        observed=said.observed,
        expected=EXPECTED,
        evidence=(observed(context.clock, str(cluster.programs), said.observed, Grade.E2),),
        remedy=said.remedy,
        severity=Severity.HIGH,
    )


CHECK = Check(CODE, "The programs are the published ones", "preflight", Severity.HIGH, run)
