"""CT-DNS: no lookup waits for the resolver's time-out of five seconds.

A resolver sends the questions for A and AAAA at once from one socket. Where connection tracking takes both
for one flow, or has no free port left to masquerade them to, it drops one (`insert_failed`), and the pod
waits five seconds. What is lost without that, and not again, was a busy moment: a warning. Source:
kubernetes/kubernetes issue 56903, "DNS intermittent delays of 5s".
"""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, probe_of, read
from tasks.checks.dataplane.service_paths import cluster_address
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts import conntrack
from tasks.facts.probe import NAMES_PORT, PEER_SERVICE, Lookups, parse_lookups

LOOKUPS, AT_ONCE, RESOLVER_S = 500, 100, 5.0
LINE = Line("CT-DNS", f"of {LOOKUPS} lookups of A and AAAA at once, none takes {RESOLVER_S:g} s")


@dataclass(frozen=True)
class _Round:
    """What one round of lookups saw; `insert_failed` is None where the host does not count it."""

    found: Lookups
    insert_failed: int | None
    evidence: tuple[Evidence, ...]

    def told(self, who: str) -> str:
        failed = "not visible" if self.insert_failed is None else f"+{self.insert_failed}"
        lost = f"{self.found.lost} of {self.found.lookups} lost at {who}"
        return f"{lost}, slowest {self.found.max_ms:.0f} ms, insert_failed {failed}"


def run(context: DataPlane) -> list[Finding]:
    """One finding a node: its pods ask the cluster's name server, or the probes where there is none."""
    server, who = _name_server(context)

    def asked(node: Node, host: Host) -> _Round:
        before, of_before = read(context, host, conntrack.ask())
        words = ["names", "-n", str(LOOKUPS), "-c", str(AT_ONCE), "-timeout", f"{RESOLVER_S:g}", server]
        found, of_lookups = ask(context, probe_of(context, node), words, parse_lookups, timeout_s=120)
        after, of_after = read(context, host, conntrack.ask())
        failed = None
        if before.refused is not None and after.refused is not None:
            failed = after.refused["insert_failed"] - before.refused["insert_failed"]
        return _Round(found, failed, (of_before, of_lookups, of_after))

    def judge(node: Node, host: Host) -> Finding:
        first = asked(node, host)
        what, evidence = first.told(who), first.evidence
        verdict = Verdict.FAIL if first.found.lost else Verdict.PASS
        if first.found.lost and first.insert_failed == 0:  # not the race: does it last, or was it one moment?
            again = asked(node, host)
            what, evidence = f"{what}; asked again: {again.told(who)}", evidence + again.evidence
            verdict = Verdict.FAIL if again.found.lost else Verdict.WARN
        remedy = (
            "insert_failed rises: `iptables -t nat -S | grep MASQUERADE` must say --random-fully and no "
            "narrow --to-ports; a node-local DNS cache takes the race away. Else look at the name server: a "
            "full receive buffer (`nstat UdpRcvbufErrors` in its pod) loses questions as well"
        )
        return LINE.says(verdict, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


def _name_server(context: DataPlane) -> tuple[str, str]:
    service = context.kube.get("v1", "Service", "kube-dns", namespace="kube-system")
    if service is not None:
        return f"{service['spec']['clusterIP']}:53", "kube-dns"
    return f"{cluster_address(context, PEER_SERVICE)}:{NAMES_PORT}", "the probes (there is no kube-dns)"


CHECK = Check(LINE.code, "no lookup times out", "dataplane", LINE.severity, run, layer=Layer.USE)
