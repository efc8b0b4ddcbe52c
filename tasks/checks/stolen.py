"""How much of a node's processor time its hypervisor may take away, wherever that is asked."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.verdict import Verdict
from tasks.facts.cpu import MIN_TICKS, CpuWindow

LIMIT = 0.02  # of the processors' time; reference: the list of what to verify on a node


@dataclass(frozen=True)
class Stolen:
    """What is said of one window."""

    verdict: Verdict
    observed: str
    remedy: str = ""


def judge_stolen(window: CpuWindow, container_signs: tuple[str, ...] = ()) -> Stolen:
    """Fail at the limit and above. A container shows the steal of the machine beneath it, which is no fault
    of the node's own: it is a warning there, and ADM-VIRT refuses the container itself.
    """
    if window.total < MIN_TICKS:
        return Stolen(Verdict.NODATA, f"only {window.total} ticks were counted", "run the check again")
    said = f"{window.steal:.2%} of {window.total} ticks stolen"
    if window.steal < LIMIT:
        return Stolen(Verdict.PASS, said)
    if container_signs:
        return Stolen(
            Verdict.WARN,
            f"{said} from the machine under this container ({container_signs[0]})",
            "latencies measured meanwhile are too high; see ADM-VIRT",
        )
    return Stolen(
        Verdict.FAIL, said, "ask the provider for a host that is not oversold, or for pinned processors"
    )
