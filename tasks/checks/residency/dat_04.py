"""DAT-04: backups and snapshots of the target go to declared places, and one has been restored.

The cluster is asked for the locations of Velero and for snapshot classes, the hosts for backup programs and
for what starts them. Where neither shows a backup, a person has to state where they lie: that none is seen is
no proof that none is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from inventory.eea import outside
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict, worst
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, Judged, on_hosts
from tasks.checks.residency.destination import UNKNOWN_REMEDY, whose
from tasks.checks.residency.observation import host_of, named, text_of
from tasks.checks.residency.served_by import served_by
from tasks.facts import backups
from tasks.facts.backups import Backups

_CONTROL = Control(
    "DAT-04", Severity.CRITICAL, "backups lie at declared places, and a restore of one has been proved"
)
_LOCATIONS = ("BackupStorageLocation", "VolumeSnapshotLocation")  # Velero
_SNAPSHOTS = "VolumeSnapshotClass"
_CLOUDS = ("aws", "ebs.csi", "gcp", "gke.io", "azure")


def _run(context: Residency) -> Iterator[Finding]:
    places: list[str] = []  # wherever a backup was seen to go, or to be started
    yield from _in_cluster(context, places)
    yield from _from_hosts(context, places)
    if not places:
        yield _nowhere(context)
    yield _CONTROL.stated(context, "restore", ("restored_at", "restored_from", "restored_into"))


def _in_cluster(context: Residency, places: list[str]) -> Iterator[Finding]:
    kube = context.target
    there = {kind: version for version, kind in kube.kinds()}
    for kind in (*_LOCATIONS, _SNAPSHOTS):
        if kind not in there:
            continue
        objects = kube.list(there[kind], kind)
        evidence = (observed(context.clock, f"{kube.name}: list {there[kind]} {kind}", text_of(objects)),)
        for each in objects:
            verdict, said = _place(context, each)
            subject = f"{kind.lower()}/{each['metadata']['name']}"
            places.append(subject)
            yield _CONTROL.finding(subject, verdict, said, evidence, UNKNOWN_REMEDY)


def _from_hosts(context: Residency, places: list[str]) -> Iterator[Finding]:
    def judge(subject: str, fact: Backups, evidence: Evidence) -> Finding:
        judged = [served_by(context.site, f"copies ({each.file})", each.host) for each in fact.targets]
        judged += [
            (Verdict.NODATA, f"{file} makes one, and where it goes was not seen") for file in fact.unseen
        ]
        places.extend(said for _, said in judged)
        if not judged and fact.programs:
            said = f"{named(fact.programs)} installed, and nothing that starts it was found"
            judged = [(Verdict.WARN, said)]
        if not judged:
            said = "no backup program, and nothing that copies to another machine, where it was looked"
            return _CONTROL.finding(subject, Verdict.PASS, said, (evidence,))
        verdict, said = worst(each for each, _ in judged), "; ".join(text for _, text in judged)
        return _CONTROL.finding(subject, verdict, said, (evidence,), UNKNOWN_REMEDY)

    # Lines that start a backup may hold passwords: what was read of them is the evidence.
    yield from on_hosts(context, _CONTROL, backups.ask(), judge, shown=lambda fact: text_of(asdict(fact)))


def _nowhere(context: Residency) -> Finding:
    """No backup is seen at all: where they lie is then a person's to state."""
    kinds = text_of({"kinds": sorted(kind for _, kind in context.target.kinds())})
    seen = observed(context.clock, f"{context.target.name}: the kinds that it has", kinds)
    stated = _CONTROL.stated(context, "backups", ("location", "country"), _lies)
    said = (
        f"no backup location ({named(_LOCATIONS)}), no {_SNAPSHOTS}, and no host makes one; {stated.observed}"
    )
    return stated.model_copy(update={"observed": said, "evidence": (seen, *stated.evidence)})


def _lies(facts: Mapping[str, str]) -> Judged:
    said = f"backups lie at {facts['location']} ({facts['country']})"
    return (Verdict.FAIL if outside(facts["country"]) else Verdict.PASS), said


def _place(context: Residency, each: dict[str, Any]) -> Judged:
    spec = each.get("spec") or {}
    provider = str(spec.get("provider") or each.get("driver") or "")
    url = str((spec.get("config") or {}).get("s3Url", ""))
    if url:
        return whose(context, host_of(url), of_pod=True)
    if any(mark in provider for mark in _CLOUDS):
        return Verdict.FAIL, f"the provider is {provider}"
    return Verdict.NODATA, f"the provider {provider or 'without a name'} does not show where it writes"


CHECK = Check(
    "DAT-04",
    "backups and snapshots lie at declared places, and a restore has been proved",
    "residency",
    Severity.CRITICAL,
    _run,
)
