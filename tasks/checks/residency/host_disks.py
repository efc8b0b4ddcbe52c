"""The part of DAT-01 that asks the target's hosts: mounts and block devices that other machines keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.site import Site
from inventory.models.verdict import Verdict, worst
from tasks.checks.context import Residency
from tasks.checks.residency.catalogued import Control, Judged, on_hosts
from tasks.checks.residency.served_by import served_by
from tasks.facts import mounts, network_disks
from tasks.facts.mounts import Mount
from tasks.facts.network_disks import Disks
from tasks.facts.remote_mounts import HYPERVISOR, Remote, remote

_CONTROL = Control(
    "DAT-01",
    Severity.CRITICAL,
    "every mount and disk is the host's own, a declared node's, or a declared company's in the EEA",
)
_REMEDY = "move the data to a disk of a declared node, or declare its keeper under processing.processors"


def host_disks(context: Residency) -> Iterator[Finding]:
    """Two findings for each host: its mounts, and its block devices."""

    def judge_mounts(subject: str, fact: Mapping[str, Mount], evidence: Evidence) -> Finding:
        judged = [_mount(context.site, each) for each in remote(fact.values())]
        return _finding(subject, judged, f"{len(fact)} mounts, none kept by another machine", evidence)

    def judge_disks(subject: str, fact: Disks, evidence: Evidence) -> Finding:
        judged = [_served(context.site, f"{each.device} ({each.kind})", each.servers) for each in fact.served]
        said = f"{len(fact.local)} block devices, none served by another machine"
        return _finding(subject, judged, said, evidence)

    yield from on_hosts(context, _CONTROL, mounts.ask(), judge_mounts)
    yield from on_hosts(context, _CONTROL, network_disks.ask(), judge_disks)


def _finding(subject: str, judged: Sequence[Judged], none: str, evidence: Evidence) -> Finding:
    if not judged:
        return _CONTROL.finding(subject, Verdict.PASS, none, (evidence,))
    verdict = worst(each for each, _ in judged)
    said = "; ".join(text for _, text in judged)
    return _CONTROL.finding(subject, verdict, said, (evidence,), _REMEDY)


def _mount(site: Site, mount: Remote) -> Judged:
    what = f"{mount.path} ({mount.kind})"
    if mount.kind in HYPERVISOR:
        return Verdict.WARN, f"{what} is a folder of the machine beneath the host"
    named = _served(site, what, mount.servers)
    if named[0] is Verdict.FAIL and mount.address:
        # A name that nobody declared may lead to an address that somebody did.
        at_address = served_by(site, what, mount.address)
        return named if at_address[0] is Verdict.FAIL else at_address
    return named


def _served(site: Site, what: str, servers: Sequence[str]) -> Judged:
    if not servers:
        return Verdict.NODATA, f"{what} is kept elsewhere, and where was not seen"
    judged = [served_by(site, what, each) for each in servers]
    return worst(each for each, _ in judged), "; ".join(text for _, text in judged)
