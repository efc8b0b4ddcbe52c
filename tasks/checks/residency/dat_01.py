"""DAT-01: persistent volumes, their back ends and the hosts' disks lie on declared nodes of the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.site import Site
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.host_disks import host_disks
from tasks.checks.residency.observation import host_of, node_at, text_of
from tasks.checks.residency.served_by import served_by
from tasks.checks.residency.source_left import source_left

_EXPECTED = "its data lies on a declared node of the target"
_ABROAD = ("awsElasticBlockStore", "gcePersistentDisk", "azureDisk", "azureFile", "cinder", "portworxVolume")
_ABROAD_DRIVERS = ("aws.com", "amazonaws", "gke.io", "azure.com", "digitalocean.com")
# Where each kind of network volume names its server (Kubernetes API, v1 PersistentVolumeSpec and Volume).
_SERVERS = {"nfs": "server", "iscsi": "targetPortal", "glusterfs": "endpoints"}
_ON_NODE = ("hostPath", "local", "emptyDir", "configMap", "secret", "projected", "downwardAPI", "image")


def _run(context: Residency) -> Iterator[Finding]:
    site, kube = context.site, context.target
    volumes = kube.list("v1", "PersistentVolume")
    evidence = observed(context.clock, f"{kube.name}: list v1 PersistentVolume", text_of(volumes))
    for volume in volumes:
        verdict, said = _where(site, volume.get("spec") or {})
        yield _finding(f"pv/{volume['metadata']['name']}", verdict, said, evidence)
    if not volumes:
        yield _finding("persistent-volumes", Verdict.PASS, "the cluster has no persistent volume", evidence)
    yield from _makers(context)
    yield from _inline(context)
    yield from host_disks(context)
    yield from source_left(context, "DAT-01", "ebs")


def _finding(subject: str, verdict: Verdict, said: str, evidence: Evidence) -> Finding:
    return Finding(
        code="DAT-01",
        subject=subject,
        verdict=verdict,
        observed=said,
        expected=_EXPECTED,
        evidence=(evidence,),
        remedy="" if verdict is Verdict.PASS else "move the data to a volume of a declared node",
        severity=Severity.CRITICAL,
    )


def _where(site: Site, spec: Mapping[str, Any]) -> tuple[Verdict, str]:
    for kind in _ABROAD:
        if kind in spec:
            return Verdict.FAIL, f"a volume of the kind {kind}"
    for kind, key in _SERVERS.items():
        if kind in spec:
            server = host_of(str((spec[kind] or {}).get(key, "")))
            return served_by(site, kind, server)
    if "csi" in spec:
        driver = str((spec["csi"] or {}).get("driver", ""))
        if _abroad(driver):
            return Verdict.FAIL, f"the CSI driver {driver}"
        attributes = (spec["csi"] or {}).get("volumeAttributes") or {}
        if server := host_of(str(attributes.get("server", ""))):
            return served_by(site, f"CSI driver {driver}", server)
        return Verdict.NODATA, f"the CSI driver {driver} does not show where its volume lies"
    for kind in _ON_NODE:
        if kind in spec:
            return _on_node(site, kind, spec)
    return Verdict.NODATA, f"a volume whose place cannot be told: {', '.join(sorted(spec)) or 'no source'}"


def _on_node(site: Site, kind: str, spec: Mapping[str, Any]) -> tuple[Verdict, str]:
    required = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    wanted = {
        str(value)
        for term in required
        for expression in term.get("matchExpressions") or ()
        if expression.get("key") == "kubernetes.io/hostname"
        for value in expression.get("values") or ()
    }
    foreign = sorted(name for name in wanted if not node_at(site, name))
    if foreign:
        return Verdict.FAIL, f"{kind} on {', '.join(foreign)}, which the site does not declare"
    return Verdict.PASS, f"{kind} on {', '.join(sorted(wanted)) or 'the nodes of the cluster'}"


def _abroad(driver: str) -> bool:
    return any(mark in driver for mark in _ABROAD_DRIVERS)


def _makers(context: Residency) -> Iterator[Finding]:
    """Storage classes and CSI drivers: where the next volume would be made."""
    kube = context.target
    for kind in ("StorageClass", "CSIDriver"):
        found = kube.list("storage.k8s.io/v1", kind)
        source = f"{kube.name}: list storage.k8s.io/v1 {kind}"
        evidence = observed(context.clock, source, text_of(found))
        abroad = sorted(
            str(each["metadata"]["name"])
            for each in found
            if _abroad(str(each.get("provisioner") or each["metadata"]["name"]))
        )
        if abroad:
            said = f"{', '.join(abroad)} would make volumes at a cloud provider"
            yield _finding(kind.lower(), Verdict.FAIL, said, evidence)
        else:
            said = f"{len(found)} in the cluster, none of a cloud provider"
            yield _finding(kind.lower(), Verdict.PASS, said, evidence)


def _inline(context: Residency) -> Iterator[Finding]:
    """Volumes that pods name themselves."""
    kube = context.target
    pods = kube.list("v1", "Pod")
    raw = text_of(
        [{"metadata": p.get("metadata"), "volumes": (p.get("spec") or {}).get("volumes")} for p in pods]
    )
    evidence = observed(context.clock, f"{kube.name}: list v1 Pod (volumes)", raw)
    bad = 0
    for pod in pods:
        for volume in (pod.get("spec") or {}).get("volumes") or ():
            source = {key: value for key, value in volume.items() if key != "name"}
            if not source or "persistentVolumeClaim" in source or "ephemeral" in source:
                continue  # an empty source is an emptyDir; a claim's volume is judged above
            verdict, said = _where(context.site, source)
            if verdict is not Verdict.PASS:
                bad += 1
                where = f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}/{volume['name']}"
                yield _finding(f"pod/{where}", verdict, said, evidence)
    if not bad:
        said = f"the volumes of {len(pods)} pods lie on the nodes"
        yield _finding("pod-volumes", Verdict.PASS if pods else Verdict.NODATA, said, evidence)


CHECK = Check(
    "DAT-01",
    "persistent volumes, their back ends and the hosts' disks lie on declared nodes of the target",
    "residency",
    Severity.CRITICAL,
    _run,
)
