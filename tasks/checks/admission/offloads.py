"""ADM-OFFLOAD: the underlay's interface takes large packets at once, those of VXLAN too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_asked
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import offloads

CODE = "ADM-OFFLOAD"
NEEDED = (
    "tx-checksumming",
    "scatter-gather",
    "tcp-segmentation-offload",
    "generic-segmentation-offload",
    "generic-receive-offload",
)
VXLAN = ("tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation")
_EXPECTED = f"{', '.join(NEEDED)} are on; {' and '.join(VXLAN)} too, where the interface has them"


def judge(interface: str, found: Mapping[str, offloads.Feature] | None) -> Judged:
    """What is off and could be on; the kernel does for VXLAN what the interface cannot."""
    if found is None:
        said = "not seen: there is no ethtool yet"
        return Judged(
            Verdict.WARN, said, "`prepare` installs it; ask again then, or: apt-get install ethtool"
        )
    off = [name for name in (*NEEDED, *VXLAN) if name in found and not found[name].on]
    settable = [name for name in off if not found[name].fixed]
    fixed = [name for name in off if found[name].fixed]
    if settable:
        words = " ".join(f"{name} on" for name in settable)
        said = f"off: {', '.join(settable)}"
        return Judged(
            Verdict.WARN, said, f"ethtool -K {interface} {words}, and in a .link file for the next boot"
        )
    if any(name in NEEDED for name in fixed):
        said = f"{interface} has no {', '.join(name for name in fixed if name in NEEDED)}"
        return Judged(Verdict.WARN, said, "give the guest a virtio-net interface (model type='virtio')")
    if fixed:
        return Judged(
            Verdict.PASS, f"all that is needed; the kernel itself cuts VXLAN: no {', '.join(fixed)}"
        )
    return Judged(Verdict.PASS, "all on, those of VXLAN too")


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host by its underlay's interface."""
    asked = {node.name: offloads.ask(node.interface) for node in context.site.target.nodes}
    interfaces = {node.name: node.interface for node in context.site.target.nodes}
    return each_asked(
        context, CODE, _EXPECTED, Severity.MEDIUM, asked, lambda name, found: judge(interfaces[name], found)
    )


CHECK = Check(CODE, "Interfaces offload, VXLAN too", "admission", Severity.MEDIUM, run)
