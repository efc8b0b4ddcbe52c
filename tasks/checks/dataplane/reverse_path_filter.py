"""DP-RPF: strict reverse-path filtering drops packets that come back by another way."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts import sysctl

LINE = Line("DP-RPF", "rp_filter of `all` and of the underlay interface is not 1 (strict)", Severity.HIGH)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""

    def judge(node: Node, host: Host) -> Finding:
        keys = [f"net.ipv4.conf.{name}.rp_filter" for name in ("all", node.interface)]
        found, evidence = read(context, host, sysctl.ask(keys))
        values = {key: found[key].value for key in keys}
        what = ", ".join(f"{key} = {value}" for key, value in values.items())
        good = all(value in ("0", "2") for value in values.values())
        strict = [key for key, value in values.items() if value not in ("0", "2")]
        remedy = " && ".join(f"sysctl -w {key}=2" for key in strict)
        return LINE.judged(good, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(
    LINE.code, "reverse-path filtering is not strict", "dataplane", LINE.severity, run, layer=Layer.SETTING
)
