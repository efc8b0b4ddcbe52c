"""DAT-04: backups and snapshots of the target go to declared places, and one has been restored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control
from tasks.checks.residency.destination import UNKNOWN_REMEDY, whose
from tasks.checks.residency.observation import host_of, named, text_of

_CONTROL = Control(
    "DAT-04", Severity.CRITICAL, "backups lie at declared places, and a restore of one has been proved"
)
_LOCATIONS = ("BackupStorageLocation", "VolumeSnapshotLocation")  # Velero
_SNAPSHOTS = "VolumeSnapshotClass"
_CLOUDS = ("aws", "ebs.csi", "gcp", "gke.io", "azure")


def _run(context: Residency) -> Iterator[Finding]:
    kube = context.target
    there = {kind: version for version, kind in kube.kinds()}
    found = 0
    for kind in (*_LOCATIONS, _SNAPSHOTS):
        if kind not in there:
            continue
        objects = kube.list(there[kind], kind)
        evidence = (observed(context.clock, f"{kube.name}: list {there[kind]} {kind}", text_of(objects)),)
        for each in objects:
            found += 1
            verdict, said = _place(context, each)
            subject = f"{kind.lower()}/{each['metadata']['name']}"
            yield _CONTROL.finding(subject, verdict, said, evidence, UNKNOWN_REMEDY)
    if not found:
        kinds = text_of({"kinds": sorted(there)})
        evidence = (observed(context.clock, f"{kube.name}: the kinds that it has", kinds),)
        said = f"the cluster has no backup location ({named(_LOCATIONS)}) and no {_SNAPSHOTS}"
        yield _CONTROL.finding("backup-locations", Verdict.PASS, said, evidence)
    yield _CONTROL.stated(context, "restore", ("restored_at", "restored_from", "restored_into"))


def _place(context: Residency, each: dict[str, Any]) -> tuple[Verdict, str]:
    spec = each.get("spec") or {}
    provider = str(spec.get("provider") or each.get("driver") or "")
    url = str((spec.get("config") or {}).get("s3Url", ""))
    if url:
        return whose(context, host_of(url))
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
