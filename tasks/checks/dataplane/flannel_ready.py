"""FL-READY: flanneld itself says that it is ready.

It is asked where its own command line says; without a health port, which is flannel's default, it is ready
when it has written its subnet since it started. Releases without /readyz have /healthz, which says less.
"""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.flannel_only import on_flannel
from tasks.checks.dataplane.observing import Line, ask, node_probe_of, read
from tasks.checks.dataplane.remedies import FLANNELD, log, restart
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts import flanneld
from tasks.facts.flanneld import Flanneld
from tasks.facts.probe import parse_got

DOUBT_S = 2.0  # times of the kernel's boot and of files are whole seconds
LINE = Line(
    "FL-READY",
    "flanneld's /readyz answers 200; without a health port, it has written its subnet since it started",
    Severity.CRITICAL,
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, asked on the node itself."""

    def judge(node: Node, host: Host) -> Finding:
        running, evidence = read(context, host, flanneld.ask())
        if running is None:
            remedy = f"{restart(context, node.name, FLANNELD)}; {log(context, node.name, FLANNELD)}"
            return LINE.says(Verdict.FAIL, node.name, "no process flanneld runs", evidence, remedy)
        if running.health:
            return asked(node, running, evidence)
        return by_its_file(node, running, evidence)

    def asked(node: Node, running: Flanneld, seen: Evidence) -> Finding:
        pod, told = node_probe_of(context, node), ""
        for path in ("/readyz", "/healthz"):
            got, evidence = ask(context, pod, ["get", f"http://{running.health}{path}"], parse_got)
            told += f"{', ' if told else ''}{path}: {got.status or got.error}"
            if got.status != 404:
                break
        good = Verdict.PASS if got.status == 200 else Verdict.FAIL
        return LINE.says(good, node.name, told, (seen, evidence), log(context, node.name, FLANNELD))

    def by_its_file(node: Node, running: Flanneld, seen: Evidence) -> Finding:
        after_s = running.after_start_s
        if after_s is None:
            what = f"{running.program} runs without a health port, and has no subnet"
            return LINE.says(Verdict.FAIL, node.name, what, seen, log(context, node.name, FLANNELD))
        if after_s < -DOUBT_S:
            what = f"{running.program} runs without a health port; its subnet is older than the process"
            remedy = "start flanneld with --healthz-port=PORT, so that it can be asked; "
            return LINE.says(Verdict.WARN, node.name, what, seen, remedy + log(context, node.name, FLANNELD))
        what = f"{running.program} has no health port; it wrote its subnet when it started"
        return LINE.says(Verdict.PASS, node.name, what, seen)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "flanneld is ready", "dataplane", LINE.severity, on_flannel(LINE, run))
