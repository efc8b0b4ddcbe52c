"""ADM-DISK: a small write is durable in time, or etcd loses its leader and kubelet its patience.

It writes half a megabyte to a file without a name, which is gone when it ends.
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.cluster import Role
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, answers, finding
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import disk_sync, virtualization

CODE = "ADM-DISK"
LIMIT_MS = 10.0  # etcd's own: the 99th percentile of fdatasync of its log below 10 ms (its hardware page)
FOLDER = "/var/lib/etcd"
_EXPECTED = f"p99 of {disk_sync.WRITES} synced writes below {LIMIT_MS:g} ms"


def judge(found: disk_sync.DiskSync, *, has_etcd: bool, container_signs: tuple[str, ...] = ()) -> Judged:
    """A failure where etcd will run; elsewhere, and on a disk that is another machine's, a warning."""
    p99_ms = found.percentile_ms(99)
    said = f"p50 {found.percentile_ms(50):.1f} ms, p99 {p99_ms:.1f} ms, longest {found.times_ms[-1]:.1f} ms"
    if p99_ms < LIMIT_MS:
        return Judged(Verdict.PASS, said)
    if container_signs:
        said += f"; the disk is that of the machine under this container ({container_signs[0]})"
        return Judged(Verdict.WARN, said, "measure it on a machine of its own; see ADM-VIRT")
    remedy = (
        "put /var/lib/etcd on an SSD or NVMe of its own, or set the volume to cache=none with io=native; ask "
        "the provider whether the disk is shared"
    )
    return Judged(Verdict.FAIL if has_etcd else Verdict.WARN, said, remedy)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host, all at once, as etcd's members write at once."""
    planes = {node.name for node in context.site.target.having(Role.CONTROL_PLANE)}
    asked, signs = disk_sync.ask(FOLDER), virtualization.ask()
    for name, facts in answers(context, (asked, signs)).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            under = facts.of(signs).container_signs
            said = judge(facts.of(asked), has_etcd=name in planes, container_signs=under)
        except OutsideError as error:
            yield unseen(CODE, name, _EXPECTED, Severity.HIGH, error)
            continue
        yield finding(context, CODE, name, _EXPECTED, Severity.HIGH, said, asked, facts)


CHECK = Check(CODE, "Disks sync in time", "admission", Severity.HIGH, run, writes="half a MB, unnamed")
