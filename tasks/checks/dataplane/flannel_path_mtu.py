"""FL-PMTU: between nodes, a packet of the pod's MTU passes unfragmented, and one byte more does not."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.flannel_only import on_flannel
from tasks.checks.dataplane.observing import Line, ask, probe_addresses, probe_of, read
from tasks.checks.dataplane.remedies import FLANNELD, in_our_file, restart
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts.flannel import ask_subnet
from tasks.facts.probe import PORT, parse

LINE = Line("FL-PMTU", "a packet of FLANNEL_MTU bytes passes, one byte more is refused", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, which sends to the probe pod of every other node."""
    addresses = probe_addresses(context)

    def judge(node: Node, host: Host) -> Finding:
        env, of_env = read(context, host, ask_subnet())
        if env is None:
            remedy = in_our_file(context, "run network again", restart(context, node.name, FLANNELD))
            return LINE.says(Verdict.FAIL, node.name, "flanneld has no subnet", of_env, remedy)
        evidence: list[Evidence] = [of_env]
        wrong = []
        peers = [name for name in addresses if name != node.name]
        for peer in peers:
            for size, wanted in ((env.mtu, "passed"), (env.mtu + 1, "refused")):
                words = ["pmtu", "-size", str(size), f"{addresses[peer]}:{PORT}"]
                outcome, seen = ask(
                    context, probe_of(context, node), words, lambda text: str(parse(text)["outcome"])
                )
                evidence.append(seen)
                if outcome != wanted:
                    wrong.append(f"to {peer}: {size} bytes {outcome}")
        if not peers:
            return LINE.says(Verdict.NODATA, node.name, "there is no other node", evidence, "add a node")
        what = "; ".join(wrong) or f"{env.mtu} bytes pass to {len(peers)} nodes, {env.mtu + 1} do not"
        remedy = "compare the MTU of the underlay on all nodes and on what lies between them"
        return LINE.says(Verdict.FAIL if wrong else Verdict.PASS, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(
    LINE.code,
    "the path carries the pods' MTU",
    "dataplane",
    LINE.severity,
    on_flannel(LINE, run),
    layer=Layer.USE,
)
