"""KP-MODE: kube-proxy runs in the declared mode, by its own word and by what it left in the kernel.

Old releases fall back to userspace silently, so the flag alone proves nothing. One that does not answer has
no mode that could be wrong: KP-HEALTH names it.
"""

from __future__ import annotations

from inventory.models.cluster import Node, ProxyMode
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of, read
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts import iptables, nftables
from tasks.facts.kube_proxy import METRICS
from tasks.facts.probe import parse_got

LINE = Line(
    "KP-MODE",
    "/proxyMode as declared, its own rules (KUBE-SVC and KUBE-SEP chains, or the nftables table kube-proxy), "
    "and those of no other mode",
    Severity.CRITICAL,
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""
    mode = context.site.target.cluster.kube_proxy.mode

    def judge(node: Node, host: Host) -> Finding:
        got, of_mode = ask(context, node_probe_of(context, node), ["get", f"{METRICS}/proxyMode"], parse_got)
        rules, of_rules = read(context, host, iptables.ask())
        services, endpoints = len(rules.chains("KUBE-SVC-")), len(rules.chains("KUBE-SEP-"))
        table, of_table = read(context, host, nftables.ask())
        chains, left = services > 0 and endpoints > 0, sum(map(len, rules.userspace().values()))
        own = (chains, table.there) if mode is ProxyMode.IPTABLES else (table.there, chains)
        clean = own == (True, False) and not left
        what = (
            f"/proxyMode {got.body or got.error}, {services} KUBE-SVC, {endpoints} KUBE-SEP"
            f"{f', an nftables table with {len(table.endpoints)} Services' if table.there else ''}"
            f"{f', {left} chains of userspace mode' if left else ''}"
        )
        remedy = (
            "run network again: it starts kube-proxy in the declared mode, and removes what userspace left"
        )
        verdict = Verdict.PASS if clean and got.body == mode else Verdict.FAIL
        if clean and not got.body:  # it does not speak, and what it left is right
            verdict, remedy = Verdict.NODATA, f"see KP-HEALTH: ssh {host.name} journalctl -u kube-proxy -n 50"
        return LINE.says(verdict, node.name, what, (of_mode, of_rules, of_table), remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "kube-proxy runs in the declared mode", "dataplane", LINE.severity, run)
