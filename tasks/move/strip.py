"""What of an object belongs to its old cluster, and is left behind (the list is crane-lib's, and AWS's own).

Every rule answers what it dropped and why, so that nothing is left behind in silence.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Dropped:
    """A whole object or a field that stays behind. `field` is empty for a whole object."""

    subject: str  # Kind namespace/name
    field: str
    reason: str

    def __str__(self) -> str:
        where = f": {self.field}" if self.field else ""
        return f"{self.subject}{where} ({self.reason})"


# Whole kinds that the target makes itself, or that only mean something where they are.
MADE_BY_CLUSTER: dict[str, str] = {
    "Endpoints": "the target writes its own from Services and slices",
    "EndpointSlice": "leads to addresses of the old cluster; the target's are written from the site file",
    "Event": "a record of the old cluster",
    "Lease": "held by a process of the old cluster",
    "ControllerRevision": "written anew by its controller",
    "PodMetrics": "a measurement of the old cluster",
    "NodeMetrics": "a measurement of the old cluster",
    "CSIStorageCapacity": "says what the old storage has left",
    "PodTemplate": "written anew by its controller",
    "VolumeAttachment": "attaches a disk of the old cluster",
}
CLUSTER_FIELDS = (
    "uid",
    "selfLink",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "ownerReferences",
)
CLUSTER_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.kubernetes.io/selected-node",
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
    "endpoints.kubernetes.io/last-change-trigger-time",
)
CLUSTER_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid", "pod-template-hash")
AWS_WORDS = ("aws", "eks", "amazonaws", "alb.ingress.kubernetes.io", "ebs.csi")
DEFAULT_ACCOUNT = "default"
TRUST_BUNDLE = "kube-root-ca.crt"


def subject_of(one: Object) -> str:
    """`Kind namespace/name`."""
    metadata = one["metadata"]
    namespace = metadata.get("namespace", "")
    return f"{one['kind']} {namespace + '/' if namespace else ''}{metadata['name']}"


def left_behind(one: Object) -> str:
    """Why the whole object stays behind; empty where it moves."""
    kind, metadata = one["kind"], one["metadata"]
    if kind in MADE_BY_CLUSTER:
        return MADE_BY_CLUSTER[kind]
    group = str(one["apiVersion"]).rpartition("/")[0]
    if is_aws(group) or (kind == "CustomResourceDefinition" and is_aws(str(metadata["name"]))):
        return "a resource of AWS, which the target does not have"
    if any(owner.get("controller") for owner in metadata.get("ownerReferences") or []):
        owner = metadata["ownerReferences"][0]
        return f"made by {owner.get('kind')} {owner.get('name')}, which makes it anew"
    if kind == "ServiceAccount" and metadata["name"] == DEFAULT_ACCOUNT:
        return "every namespace gets its own"
    if kind == "ConfigMap" and metadata["name"] == TRUST_BUNDLE:
        return "the old cluster's own CA"
    if kind == "Secret" and one.get("type") in (
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
    ):
        return "a token of the old cluster"
    if kind == "Secret" and str(one.get("type", "")) == "helm.sh/release.v1":
        return "helm's record of a release at the old cluster"
    return ""


def is_aws(word: str) -> bool:
    """Whether an annotation, label or API group is one of AWS's."""
    lowered = word.lower()
    parts = lowered.replace("/", ".").replace("-", ".").split(".")
    return any(name in parts if "." not in name else name in lowered for name in AWS_WORDS)


def stripped(one: Object) -> tuple[Object, tuple[Dropped, ...]]:
    """The object without what belongs to the old cluster, and what was dropped. The input stays as it is."""
    new = copy.deepcopy(one)
    dropped: list[Dropped] = []
    subject = subject_of(one)

    def drop(holder: dict[str, Any], key: str, where: str, reason: str) -> None:
        if holder.pop(key, None) is not None:
            dropped.append(Dropped(subject, f"{where}{key}", reason))

    metadata = new["metadata"]
    for key in CLUSTER_FIELDS:
        # Every object has these; to list them for each would hide what matters.
        metadata.pop(key, None)
    new.pop("status", None)
    for what in ("annotations", "labels"):
        words = metadata.get(what) or {}
        for key in list(words):
            if key in CLUSTER_ANNOTATIONS or key in CLUSTER_LABELS:
                words.pop(key)
            elif is_aws(key):
                drop(words, key, f"metadata.{what}.", "means something at AWS only")
        if not words:
            metadata.pop(what, None)
    finalizers = [word for word in metadata.get("finalizers") or [] if not is_aws(word)]
    if len(finalizers) != len(metadata.get("finalizers") or []):
        dropped.append(Dropped(subject, "metadata.finalizers", "a controller of AWS would have to end it"))
    metadata.pop("finalizers", None)
    if finalizers and new["kind"] not in ("Namespace", "PersistentVolumeClaim", "PersistentVolume"):
        metadata["finalizers"] = finalizers
    _BY_KIND.get(new["kind"], _nothing)(new, drop)
    for template in templates(new):
        _strip_template(template, drop)
    return new, tuple(dropped)


def templates(one: Object) -> list[dict[str, Any]]:
    """The pod templates of a workload, each a dict with `metadata` and `spec`; a Pod is its own."""
    spec = one.get("spec") or {}
    if one["kind"] == "Pod":
        return [one]
    if one["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template")
    return [template] if isinstance(template, dict) and "spec" in template else []


def _nothing(_new: Object, _drop: Any) -> None:
    """No rule of its own."""


def _service(new: Object, drop: Any) -> None:
    spec = new["spec"]
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    for key in ("ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
        spec.pop(key, None)
    drop(spec, "healthCheckNodePort", "spec.", "given out by the old cluster")
    drop(spec, "loadBalancerClass", "spec.", "the target has no cloud load balancer")
    if spec.get("type") == "LoadBalancer":
        drop(spec, "externalIPs", "spec.", "addresses of the old load balancer")
        drop(spec, "loadBalancerIP", "spec.", "the address of the old load balancer")
        spec["type"] = "NodePort"  # the edge leads to the NodePort, so it keeps its numbers
        drop(spec, "allocateLoadBalancerNodePorts", "spec.", "the target has no cloud load balancer")
    elif spec.get("type") != "NodePort":
        for port in spec.get("ports") or []:
            port.pop("nodePort", None)


def _job(new: Object, drop: Any) -> None:
    spec = new["spec"]
    if not spec.get("manualSelector"):
        drop(spec, "selector", "spec.", "made from the old job's uid")
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
        for key in ("controller-uid", "batch.kubernetes.io/controller-uid", "job-name",
                    "batch.kubernetes.io/job-name"):  # fmt: skip
            labels.pop(key, None)


def _claim(new: Object, drop: Any) -> None:
    drop(new["spec"], "volumeName", "spec.", "a volume of the old cluster")


def _account(new: Object, drop: Any) -> None:
    drop(new, "secrets", "", "tokens of the old cluster")


def _namespace(new: Object, _drop: Any) -> None:
    new.pop("spec", None)
    (new["metadata"].get("labels") or {}).pop("kubernetes.io/metadata.name", None)
    if not new["metadata"].get("labels"):
        new["metadata"].pop("labels", None)


def _strip_template(template: dict[str, Any], drop: Any) -> None:
    spec = template["spec"]
    (template.get("metadata") or {}).pop("creationTimestamp", None)
    drop(spec, "nodeName", "pod.", "a node of the old cluster")
    for key in list(spec.get("nodeSelector") or {}):
        if is_aws(key) or key in ("topology.kubernetes.io/zone", "topology.kubernetes.io/region",
                                  "kubernetes.io/hostname", "node.kubernetes.io/instance-type"):  # fmt: skip
            drop(spec["nodeSelector"], key, "pod.nodeSelector.", "names nodes of the old cluster")
    if spec.get("nodeSelector") == {}:
        spec.pop("nodeSelector")
    spec.pop("priority", None)  # the number that admission derives from the class
    if spec.get("serviceAccount") == spec.get("serviceAccountName"):
        spec.pop("serviceAccount", None)
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    for key in list(annotations):
        if is_aws(key):
            drop(annotations, key, "pod.metadata.annotations.", "means something at AWS only")


_BY_KIND = {
    "Service": _service,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "ServiceAccount": _account,
    "Namespace": _namespace,
}
