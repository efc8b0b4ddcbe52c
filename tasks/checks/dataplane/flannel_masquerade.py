"""FL-MASQ: flannel's rules keep kube-proxy's mark and let pods through the FORWARD chain."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.flannel_only import on_flannel
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.dataplane.remedies import FLANNELD, restart
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts import iptables, nftables

IN_NFTABLES = ("flannel-ipv4", "flannel-ipv6")  # its tables where net-conf.json says EnableNFTables
LINE = Line("FL-MASQ", "FLANNEL-POSTRTG begins with mark 0x4000/0x4000 RETURN; FORWARD jumps to FLANNEL-FWD")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""

    def judge(node: Node, host: Host) -> Finding:
        rules, evidence = read(context, host, iptables.ask())
        first = next(iter(rules.chain("nat", "FLANNEL-POSTRTG") or ()), ())
        marked = "0x4000/0x4000" in first and "RETURN" in first
        used = "FLANNEL-POSTRTG" in rules.jumps("nat", "POSTROUTING")
        forwards = "FLANNEL-FWD" in rules.jumps("filter", "FORWARD")
        if not (first or used or forwards) and not context.ours:
            tables, of_tables = read(context, host, nftables.ask_tables())
            own = [table for table in tables if table.endswith(IN_NFTABLES)]
            if own:
                what = f"flannel keeps its rules in nftables ({', '.join(own)}), which are not read here"
                look = f"ssh {node.name} nft list table {own[0]}"
                return LINE.says(Verdict.WARN, node.name, what, (evidence, of_tables), look)
        wrong = []
        if not used:
            wrong.append("POSTROUTING does not jump to FLANNEL-POSTRTG")
        if not marked:
            wrong.append(f"FLANNEL-POSTRTG begins with {' '.join(first) or 'nothing'}")
        if not forwards:
            wrong.append("FORWARD does not jump to FLANNEL-FWD")
        what = "; ".join(wrong) or "both are there"
        remedy = restart(context, node.name, FLANNELD)
        return LINE.judged(not wrong, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(
    LINE.code, "flannel masquerades and forwards", "dataplane", LINE.severity, on_flannel(LINE, run)
)
