"""CLU-ETCD: every member of etcd serves, follows one leader, and has room.

Limits: a member that lags by 1,000 entries is far behind (etcd's own line between slow and lost is 5,000); at
80 % of the quota there is time to compact before etcd refuses writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inventory.models.cluster import Node, Role
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.asking import answer, ask_hosts
from tasks.checks.context import ControlPlane
from tasks.checks.controlplane.looking import Said, finding
from tasks.checks.registry import Check
from tasks.drivers.errors import OutsideError
from tasks.facts import etcd
from tasks.facts.etcd import Member
from tasks.operations.flannel import etcd_access
from tasks.operations.preparation import ETCD_PORT

CODE = "CLU-ETCD"
EXPECTED = "an odd number of members, all serving, one leader, one version, room in the quota"
LAG_ENTRIES = 1000
QUOTA_SHARE = 0.8
DEFAULT_QUOTA_BYTES = 2 << 30  # etcd's own, where none is configured


def judge(subject: str, planes: Sequence[Node], members: Sequence[Member]) -> Said:
    """Everything that is wrong, or how they are."""
    wrong, soon = [], []
    silent = [
        node.name for node in planes if not any(f"//{node.address}:" in member.endpoint for member in members)
    ]
    if silent:
        wrong.append(f"{', '.join(silent)} does not serve")
    leaders = [member for member in members if member.is_leader]
    if members and len(leaders) != 1:
        wrong.append(f"{len(leaders)} members say that they lead")
    if len(planes) % 2 == 0:
        soon.append(f"{len(planes)} members bear no more losses than {len(planes) - 1}")
    versions = {member.version for member in members}
    if len(versions) > 1:
        soon.append(f"versions {', '.join(sorted(versions))}")
    newest = max((member.raft_index for member in members), default=0)
    for member in members:
        wrong += [f"{member.endpoint}: {error}" for error in member.errors]
        if newest - member.raft_index > LAG_ENTRIES:
            wrong.append(f"{member.endpoint} lags by {newest - member.raft_index} entries")
        quota = member.quota_bytes or DEFAULT_QUOTA_BYTES
        if member.database_bytes > QUOTA_SHARE * quota:
            soon.append(f"{member.endpoint} uses {member.database_bytes / quota:.0%} of its quota")
    if wrong:
        return Said(
            subject, Verdict.FAIL, "; ".join([*wrong, *soon]), "journalctl -u etcd there (runbooks/etcd.md)"
        )
    if soon:
        return Said(subject, Verdict.WARN, "; ".join(soon), "see runbooks/etcd.md")
    size = max(member.database_bytes for member in members) / 2**20
    return Said(
        subject, Verdict.PASS, f"{len(members)} of {len(planes)} serve, {size:.0f} MiB, {versions.pop()}"
    )


def run(context: ControlPlane) -> Iterable[Finding]:
    """Ask all the members from the first control plane that can."""
    planes = context.site.target.having(Role.CONTROL_PLANE)
    if not planes:
        return  # an etcd that others run cannot be seen
    asked = etcd.ask_members(etcd_access(",".join(f"https://{node.address}:{ETCD_PORT}" for node in planes)))
    troubles = []
    for node in planes:
        try:
            members = answer(ask_hosts(context.hosts, {node.name: (asked,)})[node.name], asked)
        except OutsideError as error:
            troubles.append(error)
            continue
        said = judge(context.kube.name, planes, members)
        yield finding(
            context,
            CODE,
            EXPECTED,
            Severity.CRITICAL,
            said,
            f"{node.name}: etcdctl endpoint status",
            repr(members),
        )
        return
    raise troubles[0]


CHECK = Check(CODE, "etcd is whole", "controlplane", Severity.CRITICAL, run)
