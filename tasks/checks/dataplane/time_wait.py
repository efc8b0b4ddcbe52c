"""CT-PAWS: no new connection meets the TIME_WAIT socket of another client behind the same address.

Where several clients share one masqueraded address and its ports come back too soon, a backend takes a new
SYN for an old packet of the connection before (`PAWSTimewait`) and the client sends it again a second later
(`TCPSynRetrans`). Both rise together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.counting import got, on_all
from tasks.checks.dataplane.observing import Line, ask, node_probe_of, probe_of
from tasks.checks.dataplane.service_paths import virtual_url
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts import counters
from tasks.facts.probe import parse, parse_hits

_RESENT = ("TcpExt.TCPSynRetrans",)
# A kernel without the first, as Debian 12's, counts these under the second, with those of open connections.
_REJECTED = ("TcpExt.PAWSTimewait", "TcpExt.PAWSEstab")
CONNECTIONS, ROUNDS, PAUSE_S = 150, 3, 1.2  # what connection tracking forgets meanwhile, TIME_WAIT does not
LIMIT = 0.02  # random ports meet by chance where one address makes thousands of connections a minute
LINE = Line(
    "CT-PAWS",
    f"PAWSTimewait at the backends, with TCPSynRetrans at the clients, for less than {LIMIT:.0%} of the "
    "new connections",
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, whose pod and own network make new connections in turns."""
    url = virtual_url(context)
    nodes = [node for node in context.site.target.nodes if node.name in context.hosts]
    backends = list(context.probes.values())

    def clients(node: Node) -> tuple[str, str]:
        return probe_of(context, node), node_probe_of(context, node)

    def connect(node: Node) -> tuple[int, int, tuple[Evidence, ...]]:
        before = _sum(context, _RESENT, clients(node))
        answered, evidence = 0, []
        for number in range(ROUNDS):
            if number:
                context.clock.sleep(PAUSE_S)
            for pod in clients(node):
                hits, seen = ask(
                    context, pod, ["hits", "-n", str(CONNECTIONS), "-c", "32", "-stop", "50", url], parse_hits
                )
                answered += hits.requests - hits.errors
                evidence.append(seen)
            if answered < (number + 1) * CONNECTIONS:
                break  # the path itself is broken: the others of this group say so, sooner
        return _sum(context, _RESENT, clients(node)) - before, answered, tuple(evidence)

    before = _sum(context, _REJECTED, backends)
    connected = on_all(nodes, connect)
    rejected = _sum(context, _REJECTED, backends) - before

    def judge(node: Node, _: Host) -> Finding:
        resent, answered, evidence = got(connected[node.name])
        what = f"PAWSTimewait +{rejected} at the backends, TCPSynRetrans +{resent} here, {answered} answers"
        if not answered:
            return LINE.says(Verdict.NODATA, node.name, what, evidence, "mend KP-VIP-POD first")
        remedy = (
            "masquerade less (masquerade_all off, --cluster-cidr set) or to more ports and addresses, with "
            "--random-fully; nf_conntrack_tcp_timeout_time_wait must not be below 60 s"
        )
        # Both: a busy machine sends again for other reasons, and backends do not know whose SYN it was.
        often = min(rejected, resent) >= LIMIT * 2 * ROUNDS * CONNECTIONS
        verdict = Verdict.FAIL if often else Verdict.PASS
        return LINE.says(verdict, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


def _sum(context: DataPlane, names: Sequence[str], pods: Iterable[str]) -> int:
    """The first of these counters that the kernel has, summed over the pods. Raises what `ask` raises."""

    def value(text: str) -> int:
        found = counters.parse(parse(text)["counters"])
        for name in names:
            if name in found:
                return found[name]
        raise KeyError(", ".join(names))

    return sum(ask(context, pod, ["count"], value)[0] for pod in pods)


CHECK = Check(
    LINE.code,
    "no new connection meets another's TIME_WAIT",
    "dataplane",
    LINE.severity,
    run,
    layer=Layer.COUNTER,
)
