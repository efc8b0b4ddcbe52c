"""CLU-SKEW: every program's version is one that Kubernetes' policy supports beside the API servers'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from inventory.kubernetes_version import Part, Version, skewed
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.asking import answer, ask_hosts
from tasks.checks.context import ControlPlane
from tasks.checks.controlplane.looking import Said, finding
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError, ServiceFailed
from tasks.facts import program_versions

CODE = "CLU-SKEW"
EXPECTED = "what the version skew policy supports (kubernetes.io/releases/version-skew-policy)"
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def from_objects(nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]) -> list[Part]:
    """The kubelets by what they told the API, the control plane's programs by their images' tags.

    Raises ValueError or KeyError where a version is none.
    """
    found = [
        Part("kubelet", node["metadata"]["name"], Version.of(node["status"]["nodeInfo"]["kubeletVersion"]))
        for node in nodes
    ]
    for pod in pods:
        labels = pod["metadata"].get("labels", {})
        component = labels.get("component") or labels.get("k8s-app", "")
        if component not in (*CONTROL_PLANE, "kube-proxy") or not pod["spec"].get("nodeName"):
            continue
        image = pod["spec"]["containers"][0]["image"].partition("@")[0]
        found.append(Part(component, pod["spec"]["nodeName"], Version.of(image.rpartition(":")[2])))
    return found


def judge(parts: Iterable[Part]) -> list[Said]:
    """One finding a host or node."""
    every = tuple(parts)
    wrong = skewed(every)
    said = []
    for subject in sorted({part.subject for part in every}):
        mine = [part for part in every if part.subject == subject]
        told = ", ".join(f"{part.component} {part.version}" for part in mine)
        bad = [f"{part.component} {part.version} is {wrong[part]}" for part in mine if part in wrong]
        remedy = "run `safe-harbor upgrade SITE --to VERSION` again; it ends what was begun" if bad else ""
        said.append(Said(subject, Verdict.FAIL if bad else Verdict.PASS, "; ".join(bad) or told, remedy))
    return said


def run(context: ControlPlane) -> Iterable[Finding]:
    """Compare everything with the API servers."""
    nodes = context.kube.list("v1", "Node")
    pods = context.kube.list("v1", "Pod", namespace="kube-system")
    try:
        parts = from_objects(nodes, pods)
    except (ValueError, KeyError, IndexError) as error:
        raise ServiceFailed(context.kube.name, f"tells a version that is none: {error}") from None
    asked = program_versions.ask()
    for name, facts in ask_hosts(context.hosts, dict.fromkeys(context.hosts, (asked,))).items():
        try:
            parts += [Part(program, name, version) for program, version in answer(facts, asked).items()]
        except OutsideError as error:
            yield unseen(CODE, name, EXPECTED, Severity.HIGH, error)
    if not any(part.component == "kube-apiserver" for part in parts):
        return  # a control plane that is not pods: nothing to compare with, which is no data
    raw = "\n".join(f"{part.subject} {part.component} {part.version}" for part in parts)
    for said in judge(parts):
        yield finding(
            context, CODE, EXPECTED, Severity.HIGH, said, f"{context.kube.name}: nodes and pods", raw
        )


CHECK = Check(CODE, "Versions suit each other", "controlplane", Severity.HIGH, run)
