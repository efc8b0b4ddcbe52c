"""FL-MTU: flannel's MTU leaves room for the header of its backend, and pods have it."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.flannel_only import backend, on_flannel
from tasks.checks.dataplane.observing import Line, ask, probe_of, read
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts import links
from tasks.facts.flannel import ask_subnet
from tasks.facts.probe import parse

LINE = Line(
    "FL-MTU",
    "FLANNEL_MTU = the underlay's MTU less the backend's header, and eth0 of pods has it",
    Severity.CRITICAL,
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""
    header_bytes = backend(context).header_bytes

    def judge(node: Node, host: Host) -> Finding:
        env, of_env = read(context, host, ask_subnet())
        found, of_links = read(context, host, links.ask())
        pod, of_pod = ask(context, probe_of(context, node), ["links"], lambda text: parse(text)["mtu"])
        evidence = (of_env, of_links, of_pod)
        underlay = found.get(node.interface)
        if env is None or underlay is None:
            missing = "flannel's subnet" if env is None else f"the interface {node.interface}"
            return LINE.says(Verdict.FAIL, node.name, f"{missing} is missing", evidence, "run network again")
        good = env.mtu == underlay.mtu - header_bytes == pod.get("eth0")
        what = f"{node.interface} {underlay.mtu}, FLANNEL_MTU {env.mtu}, pod {pod.get('eth0')}"
        remedy = (
            f"ssh {node.name} systemctl restart flanneld; then delete the node's pods, which keep the MTU "
            "that they were started with"
        )
        return LINE.says(Verdict.PASS if good else Verdict.FAIL, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "the MTU fits the overlay", "dataplane", LINE.severity, on_flannel(LINE, run))
