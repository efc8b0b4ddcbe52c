"""CLU-PROXY: no node forwards its Services through a process (the source article, points 3 and 4).

kube-proxy's own word is asked through the API server, where its metrics port is not on loopback. The mode
that kubeadm's configuration names proves only a bad one: old releases fall back to userspace without a word.
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.cluster import ProxyMode
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.cluster.asking import Seen, nodes, on_each, says
from tasks.checks.context import Cluster
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.drivers.errors import OutsideError
from tasks.facts.proxy_config import configured

CODE = "CLU-PROXY"
PORT = 10249
_EXPECTED = "iptables or nftables"
_REMEDY = {
    "userspace": "start kube-proxy with --proxy-mode=iptables (1.2 and later; userspace is gone since 1.26), "
    "after `kube-proxy --cleanup` of the old release on each node: now a process copies every packet",
    "ipvs": "choose iptables, or nftables above 1,000 Services: ipvs is deprecated since 1.35",
}
_UNSEEN = (
    "set metricsBindAddress: 0.0.0.0:10249 in kube-proxy's configuration, or declare the nodes with SSH; "
    "on a node: curl http://127.0.0.1:10249/proxyMode"
)


def judge(mode: str) -> Verdict:
    """The verdict on a mode."""
    known = {
        "iptables": Verdict.PASS,
        "nftables": Verdict.PASS,
        "ipvs": Verdict.WARN,
        "userspace": Verdict.FAIL,
    }
    return known.get(mode, Verdict.NODATA)


def run(context: Cluster) -> Iterable[Finding]:
    """One finding a node."""
    declared = configured(context.kube)

    def ask(each: Seen) -> Finding:
        try:
            told = context.kube.node_get(each.name, PORT, "proxyMode").strip()
        except OutsideError as error:
            if declared is None or declared.mode is ProxyMode.UNKNOWN:
                what = (
                    f"kube-proxy's metrics port does not answer, and no configuration is kept: {error.what}"
                )
                return says(CODE, Severity.CRITICAL, _EXPECTED, each.name, Verdict.NODATA, what, (), _UNSEEN)
            mode, evidence = declared.mode, observed(context.clock, declared.source, declared.raw)
            what = f"configured is {mode}; kube-proxy itself was not asked"
            verdict = Verdict.FAIL if judge(mode) is Verdict.FAIL else Verdict.INCONCLUSIVE
            remedy = _REMEDY.get(mode, _UNSEEN)
            return says(CODE, Severity.CRITICAL, _EXPECTED, each.name, verdict, what, (evidence,), remedy)
        source = f"kubectl get --raw /api/v1/nodes/{each.name}:{PORT}/proxy/proxyMode"
        seen = (observed(context.clock, source, told),)
        what, remedy = f"kube-proxy says {told[:40]}", _REMEDY.get(told, _UNSEEN)
        return says(CODE, Severity.CRITICAL, _EXPECTED, each.name, judge(told), what, seen, remedy)

    return on_each(nodes(context), ask).values()


CHECK = Check(CODE, "Services do not pass through a process", "cluster", Severity.CRITICAL, run)
