"""CLU-CGROUP: kubelet and containerd put a pod's processes into the same cgroups.

With two drivers there are two managers of one hierarchy, and a pod's limits are set where its processes are
not (Kubernetes' documentation of container runtimes).
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.asking import answer, ask_hosts
from tasks.checks.context import ControlPlane
from tasks.checks.controlplane.kubelets import running
from tasks.checks.controlplane.looking import Said, finding
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import cgroup, containerd_config

CODE = "CLU-CGROUP"
EXPECTED = "one cgroup driver for both; systemd where the host has cgroup v2"


def judge(node: str, kubelet: str, containerd: str, version: int) -> Said:
    """One node; `version` is that of the host's cgroups."""
    if kubelet != containerd:
        return Said(
            node,
            Verdict.FAIL,
            f"kubelet uses {kubelet}, containerd uses {containerd}",
            "run `safe-harbor prepare SITE`, then on the node: systemctl restart containerd kubelet",
        )
    if version == 2 and kubelet != "systemd":
        return Said(
            node,
            Verdict.WARN,
            f"both use {kubelet} on cgroup v2, beside systemd",
            "run `safe-harbor prepare SITE`: it sets systemd for both",
        )
    return Said(node, Verdict.PASS, f"both use {kubelet}, cgroup v{version}")


def run(context: ControlPlane) -> Iterable[Finding]:
    """Judge every declared node."""
    driver, version = containerd_config.ask(), cgroup.ask()
    hosts = ask_hosts(context.hosts, dict.fromkeys(context.hosts, (driver, version)))
    for name, kubelet in running(context):
        try:
            if isinstance(kubelet, OutsideError):
                raise kubelet
            containerd, cgroups = answer(hosts[name], driver), answer(hosts[name], version)
        except OutsideError as error:
            yield unseen(CODE, name, EXPECTED, Severity.HIGH, error)
            continue
        raw = f"kubelet {kubelet.cgroup_driver}, containerd {containerd}, cgroup v{cgroups}"
        said = judge(name, kubelet.cgroup_driver, containerd, cgroups)
        yield finding(context, CODE, EXPECTED, Severity.HIGH, said, f"{name}: configz, config dump", raw)


CHECK = Check(CODE, "One cgroup driver", "controlplane", Severity.HIGH, run)
