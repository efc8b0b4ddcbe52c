"""How the checks of this group see the nodes, and make findings of what they see."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from inventory.printable import printable
from tasks.checks.context import Cluster
from tasks.checks.evidence import observed

T = TypeVar("T")
_AT_ONCE = 16


@dataclass(frozen=True)
class Seen:
    """A Node object and the evidence of having read it."""

    name: str
    node: dict[str, Any]
    evidence: Evidence

    @property
    def info(self) -> dict[str, str]:
        """`status.nodeInfo`."""
        return dict(self.node["status"]["nodeInfo"])


def nodes(context: Cluster) -> list[Seen]:
    """Every node of the cluster. Raises Denied, ServiceFailed, HostUnreachable."""
    found = []
    for node in context.kube.list("v1", "Node"):
        name, status = str(node["metadata"]["name"]), node.get("status", {})
        raw = json.dumps({key: status.get(key) for key in ("nodeInfo", "conditions")}, sort_keys=True)
        found.append(Seen(name, node, observed(context.clock, f"kubectl get node {name} -o json", raw)))
    return found


def on_each(seen: list[Seen], ask: Callable[[Seen], T]) -> dict[str, T]:
    """Node's name -> answer, several at once."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip((each.name for each in seen), pool.map(ask, seen), strict=True))


def says(
    code: str,
    severity: Severity,
    expected: str,
    subject: str,
    verdict: Verdict,
    what: str,
    evidence: tuple[Evidence, ...],
    remedy: str = "",
) -> Finding:
    """A finding of this group; a pass needs no remedy."""
    return Finding(
        code=code,
        subject=subject,
        verdict=verdict,
        observed=printable(what),
        expected=expected,
        evidence=evidence,
        remedy="" if verdict is Verdict.PASS else remedy,
        severity=severity,
    )
