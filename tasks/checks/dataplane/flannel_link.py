"""FL-LINK: the overlay's link is as declared, and there is none where packets go as they are."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.flannel_only import backend, on_flannel
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.dataplane.remedies import FLANNELD, in_our_file, log, restart
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts import links
from tasks.facts.links import Link
from tasks.operations.flannel_leftovers import overlay_links

LINE = Line(
    "FL-LINK",
    "the backend's own link and no other; VXLAN: id, local address, port, underlay as declared, nolearning",
    Severity.CRITICAL,
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""
    network, wanted = context.site.target.cluster.network, backend(context)

    def judge(node: Node, host: Host) -> Finding:
        found, evidence = read(context, host, links.ask())
        others = sorted(set(overlay_links(found)) - {wanted.link})
        if others:
            what = f"a link of another backend is left, and its routes win: {', '.join(others)}"
            by_hand = " && ".join(f"ip link delete {name}" for name in others)
            remedy = in_our_file(
                context,
                "run network again: it removes them",
                f"ssh {node.name} '{by_hand}'; then {restart(context, node.name, FLANNELD)}",
            )
            return LINE.says(Verdict.FAIL, node.name, what, evidence, remedy)
        if not wanted.link:
            return LINE.says(Verdict.PASS, node.name, f"{wanted.type} needs no link", evidence)
        link = found.get(wanted.link)
        if link is None:
            remedy = log(context, node.name, FLANNELD)
            return LINE.says(Verdict.FAIL, node.name, f"there is no link {wanted.link}", evidence, remedy)
        wrong = _vxlan(node, link, wanted.settings) if network.kind == "flannel_vxlan" else []
        if wanted.type == "wireguard" and link.kind != "wireguard":
            wrong.append(f"is a {link.kind or 'device'}, not wireguard")
        if not link.up:
            wrong.append("is down")
        what = f"{link.name} {'; '.join(wrong) or 'is up, as declared'}"
        remedy = (
            f"ssh {node.name} ip link delete {link.name}; {restart(context, node.name, FLANNELD)}; check the "
            f"node's address and interface in the {in_our_file(context, 'site', 'cluster')} file"
        )
        return LINE.judged(not wrong, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


def _vxlan(node: Node, link: Link, declared: Mapping[str, object]) -> list[str]:
    if link.vxlan is None:
        return [f"is a {link.kind or 'device'}, not VXLAN"]
    vxlan = link.vxlan
    pairs = (
        ("id", vxlan.vni, declared["VNI"]),
        ("local", vxlan.local, str(node.address)),
        ("dstport", vxlan.port, declared["Port"]),
        ("dev", vxlan.underlay, node.interface),
    )
    wrong = [f"has {key} {is_} (declared {wanted})" for key, is_, wanted in pairs if is_ != wanted]
    return [*wrong, *(["learns"] if vxlan.learning else [])]


CHECK = Check(
    LINE.code,
    "the overlay's link is right",
    "dataplane",
    LINE.severity,
    on_flannel(LINE, run),
    layer=Layer.SETTING,
)
