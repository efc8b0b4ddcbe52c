"""PATH-BULK: much data over one connection crosses nodes through a Service, where small packets always do.

The VXLAN checksum bug of some kernels and network cards shows only here: bulk TCP through a Service
stalls, while ping and short requests work.
"""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of, probe_service
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts.probe import parse

BYTES = 2 << 20
ROUNDS = 3  # the Service picks an endpoint each time: most of them lie on other nodes
LINE = Line("PATH-BULK", f"{BYTES >> 20} MiB arrive over one connection through a Service, {ROUNDS} times")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, asked from the node's own network, which is where the bug strikes."""
    address = probe_service(context)["spec"]["clusterIP"]

    def judge(node: Node, _: Host) -> Finding:
        evidence, rates = [], []
        for _round in range(ROUNDS):
            words = ["bulk", "-bytes", str(BYTES), "-timeout", "10", f"{address}:80"]
            answer, seen = ask(context, node_probe_of(context, node), words, parse)
            evidence.append(seen)
            if answer["error"] or answer["bytes"] != BYTES:
                what = f"{answer['bytes']} of {BYTES} bytes arrived: {answer['error']}"
                remedy = (
                    "if tcpdump shows `bad udp cksum` on the VXLAN port: ethtool -K flannel.1 "
                    "tx-checksum-ip-generic off (it costs bulk throughput)"
                )
                return LINE.says(Verdict.FAIL, node.name, what, evidence, remedy)
            rates.append(float(answer["mbit_per_s"]))
        return LINE.says(Verdict.PASS, node.name, f"{min(rates):.0f} Mbit/s at least", evidence)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "bulk data crosses nodes", "dataplane", LINE.severity, run)
