"""WL-IMAGE: images are named so that the copy at the target is the same one."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload as Context
from tasks.checks.registry import Check
from tasks.checks.workload.workloads import Workload, elsewhere, finding, moved, workloads

_EXPECTED = "images are named by digest, or by a tag that does not move"


def _run(context: Context) -> Iterator[Finding]:
    found, evidence = workloads(context)
    ours, others = moved(context, found)
    for each in ours:
        loose = _loose(each)
        said = "; ".join(loose) or "every image is named by its digest"
        verdict = Verdict.WARN if loose else Verdict.PASS
        remedy = "name the image by digest: NAME@sha256:..." if loose else ""
        yield finding("WL-IMAGE", each.subject, verdict, said, _EXPECTED, evidence, remedy)
    yield from elsewhere("WL-IMAGE", [w.subject for w in others if _loose(w)], _EXPECTED, evidence)


def _loose(workload: Workload) -> list[str]:
    """What is loose about each image that is not named by digest."""
    said = []
    for container in workload.containers(with_init=True):
        image = str(container.get("image", ""))
        if "@sha256:" in image:
            continue
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest"):
            said.append(f"{image} is whatever is latest when it is pulled")
        else:
            said.append(f"{image} is named by a tag, which can be moved")
    return said


CHECK = Check(
    "WL-IMAGE",
    "images are named so that the copy at the target is the same one",
    "workload",
    Severity.MEDIUM,
    _run,
)
