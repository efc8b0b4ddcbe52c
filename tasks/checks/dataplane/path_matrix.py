"""Asks every address from one pod by TCP and UDP; shared by PATH-PODS and PATH-NODES."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask
from tasks.facts.probe import PORT, parse_dialled


def row(
    context: DataPlane, line: Line, source: str, pod: str, targets: Mapping[str, str], remedy: str
) -> list[Finding]:
    """One finding for the source and all its targets, and one more for each path that is broken.

    `targets` maps what is at the other end to its address. Each pair is asked from both ends, as each end is
    a source in its turn.
    """
    ends = {f"{address}:{PORT}": name for name, address in targets.items()}
    if not ends:
        return [line.says(Verdict.NODATA, source, "there is nothing else to reach", (), "add a node")]
    tcp, of_tcp = ask(context, pod, ["tcp", *ends], parse_dialled)
    udp, of_udp = ask(context, pod, ["udp", *ends], parse_dialled)
    evidence = (of_tcp, of_udp)
    broken: dict[str, list[str]] = {}
    for protocol, results in (("TCP", tcp), ("UDP", udp)):
        for result in results:
            if not result.ok:
                broken.setdefault(ends[result.address], []).append(f"{protocol}: {result.error}")
    findings = [
        line.says(Verdict.FAIL, f"{source} -> {name}", "; ".join(why), evidence, remedy)
        for name, why in broken.items()
    ]
    slowest = max((result.ms for result in (*tcp, *udp) if result.ok), default=0.0)
    whole = (
        f"{len(ends) - len(broken)} of {len(ends)} reached by TCP and UDP, the slowest in {slowest:.1f} ms"
    )
    return [line.says(Verdict.FAIL if broken else Verdict.PASS, source, whole, evidence, remedy), *findings]
