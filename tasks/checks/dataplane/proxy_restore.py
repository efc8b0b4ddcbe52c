"""KP-RESTORE: no set of rules of kube-proxy is refused by the kernel."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of
from tasks.checks.dataplane.remedies import PROXY, log
from tasks.checks.registry import Check
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Host
from tasks.facts.kube_proxy import METRICS, RESTORE_FAILURES, restore_failures
from tasks.facts.probe import parse_got

WATCH_S = 3.0
LINE = Line("KP-RESTORE", f"{' or '.join(RESTORE_FAILURES)}: it does not rise")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node: none since its start is a pass; where there were some, whether they go on."""

    def count(node: Node) -> tuple[int, Evidence]:
        got, evidence = ask(context, node_probe_of(context, node), ["get", f"{METRICS}/metrics"], parse_got)
        if got.status != 200:
            what = f"/metrics of kube-proxy: {got.status or got.error}"
            raise ServiceFailed(node.name, what, log(context, node.name, PROXY))
        try:
            return restore_failures(got.body), evidence
        except KeyError as error:
            raise ServiceFailed(node.name, f"/metrics of kube-proxy does not count {error}") from None

    def judge(node: Node, host: Host) -> Finding:
        first, evidence = count(node)
        if first == 0:
            return LINE.says(Verdict.PASS, node.name, "none failed since kube-proxy started", evidence)
        context.clock.sleep(WATCH_S)
        second, again = count(node)
        what = f"{first} failed since kube-proxy started, {second - first} of them in the last {WATCH_S:g} s"
        remedy = f"{log(context, host.name, PROXY)} | grep -i -A5 -e iptables-restore -e nftables"
        verdict = Verdict.FAIL if second > first else Verdict.WARN
        return LINE.says(verdict, node.name, what, (evidence, again), remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "kube-proxy's rules are taken", "dataplane", LINE.severity, run)
