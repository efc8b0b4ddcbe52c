"""FL-MTU: flannel's MTU leaves room for the header of its backend, and pods have it."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.flannel_only import backend, on_flannel
from tasks.checks.dataplane.observing import Line, ask, probe_of, read
from tasks.checks.dataplane.remedies import FLANNELD, in_our_file, restart
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts import links
from tasks.facts.flannel import ask_subnet
from tasks.facts.links import Link
from tasks.facts.probe import parse

AGAIN = "run network again"
BRIDGE = "cni0"  # of flannel's CNI plugin; the bridge plugin gives both ends of a pod's link one MTU
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
        pods, of_pods = mtus_of_pods(node, found)
        evidence = (of_env, of_links, *of_pods)
        underlay = found.get(node.interface)
        again = restart(context, node.name, FLANNELD)
        if underlay is None:
            theirs = f"name the interface that has {node.address} in the cluster file: interface"
            what, remedy = f"the interface {node.interface} is missing", in_our_file(context, AGAIN, theirs)
            return LINE.says(Verdict.FAIL, node.name, what, evidence, remedy)
        if env is None:
            what, remedy = "flannel's subnet is missing", in_our_file(context, AGAIN, again)
            return LINE.says(Verdict.FAIL, node.name, what, evidence, remedy)
        good = env.mtu == underlay.mtu - header_bytes and pods <= {env.mtu}
        told = ", ".join(str(mtu) for mtu in sorted(pods)) or "none is on this node"
        what = f"{node.interface} {underlay.mtu}, FLANNEL_MTU {env.mtu}, pods {told}"
        remedy = f"{again}; then delete the node's pods, which keep the MTU that they were started with"
        return LINE.says(Verdict.PASS if good else Verdict.FAIL, node.name, what, evidence, remedy)

    def mtus_of_pods(node: Node, found: Mapping[str, Link]) -> tuple[set[int], list[Evidence]]:
        """As the probe's own pod has it; else at the node's ends of all pods, made with the same MTU."""
        if context.without_probes:
            return {link.mtu for link in found.values() if link.kind == "veth" and link.master == BRIDGE}, []
        pod, of_pod = ask(context, probe_of(context, node), ["links"], lambda text: parse(text)["mtu"])
        return {int(pod.get("eth0", 0))}, [of_pod]

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "the MTU fits the overlay", "dataplane", LINE.severity, on_flannel(LINE, run))
