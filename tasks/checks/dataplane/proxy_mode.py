"""KP-MODE: kube-proxy runs in the declared mode, by its own word and by what it left in the kernel.

Old releases fall back to userspace silently, so the flag alone proves nothing. One that does not answer has
no mode that could be wrong: KP-HEALTH names it.
"""

from __future__ import annotations

from inventory.models.cluster import STOOD_UP, Node, ProxyMode
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of, read
from tasks.checks.dataplane.remedies import in_our_file, proxy_setting
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
    wanted = mode if mode in STOOD_UP else ProxyMode.IPTABLES
    remedy = in_our_file(
        context,
        "run network again: it starts kube-proxy in the declared mode, and removes what userspace left",
        f"{proxy_setting(context, f'mode: {wanted}')}; what another mode left goes with `kube-proxy "
        "--cleanup` of that release, or a reboot",
    )

    def judge(node: Node, host: Host) -> Finding:
        got, of_mode = ask(context, node_probe_of(context, node), ["get", f"{METRICS}/proxyMode"], parse_got)
        rules, of_rules = read(context, host, iptables.ask())
        services, endpoints = len(rules.chains("KUBE-SVC-")), len(rules.chains("KUBE-SEP-"))
        table, of_table = read(context, host, nftables.ask())
        chains, left = services > 0 and endpoints > 0, sum(map(len, rules.userspace().values()))
        asked = bool(got.status)
        says = got.body.strip() if asked else str(mode)
        good = _fits(says, chains, table.there) and mode in (says, ProxyMode.UNKNOWN) and not left
        what = (
            f"/proxyMode {says[:40] if asked else got.error}, {services} KUBE-SVC, {endpoints} KUBE-SEP"
            f"{f', an nftables table with {len(table.endpoints)} Services' if table.there else ''}"
            f"{f', {left} chains of userspace mode' if left else ''}"
        )
        if says != mode and mode is not ProxyMode.UNKNOWN:
            what += f"; declared is {mode}"
        evidence = (of_mode, of_rules, of_table)
        if good and not asked:  # it does not speak, and what it left is right
            if context.ours:
                look = f"see KP-HEALTH: ssh {host.name} journalctl -u kube-proxy -n 50"
                return LINE.says(Verdict.NODATA, node.name, what, evidence, look)
            look = (
                "its rules are that mode's; on the node: curl http://ADDRESS:10249/proxyMode, where ADDRESS "
                "is metricsBindAddress of its configuration"
            )
            return LINE.says(Verdict.WARN, node.name, what, evidence, look)
        return LINE.says(Verdict.PASS if good else Verdict.FAIL, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


def _fits(mode: str, chains: bool, table: bool) -> bool:
    """Whether the rules in the kernel are this mode's and no other's; ipvs keeps its own elsewhere."""
    own = {ProxyMode.IPTABLES: (True, False), ProxyMode.NFTABLES: (False, True)}
    return mode == ProxyMode.IPVS or any(
        mode == each and there == (chains, table) for each, there in own.items()
    )


CHECK = Check(LINE.code, "kube-proxy runs in the declared mode", "dataplane", LINE.severity, run)
