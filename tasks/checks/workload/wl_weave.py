"""WL-WEAVE: the source does not run Weave Net, or it is said what leaving it means.

Its project was archived in June 2024, so no target is built on it. The objects are those of its last
release's manifest (2.8.1); a daemon that was deleted leaves the others behind, and links, rules and files on
nodes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload as Context
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.workload.workloads import finding

CODE = "WL-WEAVE"
SUBJECT = "pod network"
_EXPECTED = "no Weave Net at the source, which is archived and is left behind"
_NAME, _NAMESPACE = "weave-net", "kube-system"
_PASSWORD, _POLICIES = "WEAVE_PASSWORD", "weave-npc"
_OTHERS = (("v1", "ConfigMap"), ("v1", "ServiceAccount"))


def _run(context: Context) -> Iterator[Finding]:
    daemon = _named(context, "apps/v1", "DaemonSet")
    left = [kind for api, kind in _OTHERS if _named(context, api, kind) is not None]
    containers = _containers(daemon) if daemon else []
    raw = json.dumps({"images": [str(each.get("image", "")) for each in containers], "left": left})
    evidence = observed(
        context.clock, f"{context.source.name}: list DaemonSet, ConfigMap, ServiceAccount", raw
    )

    def says(verdict: Verdict, what: str, remedy: str = "") -> Finding:
        return finding(CODE, SUBJECT, verdict, what, _EXPECTED, evidence, remedy)

    objects = ", ".join(f"{kind} {_NAMESPACE}/{_NAME}" for kind in left)
    if daemon is not None:
        images = ", ".join(str(each.get("image", "")) for each in containers)
        goes = ", ".join(["pod addresses", "multicast", *(["encryption"] if _encrypts(containers) else [])])
        what = f"Weave Net runs (DaemonSet {_NAME}); with it go {goes}: {images}"
        yield says(
            Verdict.WARN, f"{what}; it leaves {objects}" if objects else what, _leaving(context, containers)
        )
    elif left:
        yield says(
            Verdict.WARN, f"Weave Net has run and has left {objects}", f"{_ON_NODES}; delete the objects"
        )
    else:
        yield says(Verdict.PASS, f"no DaemonSet {_NAME}, and nothing that it would have left")


_ON_NODES = (
    "on the source's nodes it leaves the links weave, vethwe-*, vxlan-6784 and datapath, chains WEAVE-*, "
    "/opt/cni/bin/weave-*, /etc/cni/net.d/10-weave.conflist and /var/lib/weave (`weave reset` there; on a "
    "target's node `network` removes them)"
)


def _leaving(context: Context, containers: list[Mapping[str, Any]]) -> str:
    """What changes for the workload, by what this Weave does."""
    cluster = context.site.target.cluster
    means = [f"pods get addresses of {cluster.pod_cidr}, and no multicast between nodes"]
    if _encrypts(containers) and not cluster.network.encrypted:
        means.append(
            f"it encrypts between nodes ({_PASSWORD}), and {cluster.network.kind} is not asked to: "
            "set target.cluster.network.encrypted: true with flannel_wireguard"
        )
    if any(each.get("name") == _POLICIES for each in containers):
        means.append("it enforces NetworkPolicies: see WL-POLICY")
    return "leaving it: " + "; ".join([*means, _ON_NODES])


def _encrypts(containers: list[Mapping[str, Any]]) -> bool:
    return any(each.get("name") == _PASSWORD for one in containers for each in one.get("env") or ())


def _named(context: Context, api_version: str, kind: str) -> Mapping[str, Any] | None:
    found = context.source.list(api_version, kind, namespace=_NAMESPACE)
    return next((each for each in found if each["metadata"].get("name") == _NAME), None)


def _containers(daemon: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    pod = ((daemon.get("spec") or {}).get("template") or {}).get("spec") or {}
    return list(pod.get("containers") or ())


CHECK = Check(CODE, "Weave Net is not there, or its leaving is planned", "workload", Severity.MEDIUM, _run)
