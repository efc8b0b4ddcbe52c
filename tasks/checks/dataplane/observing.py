"""How the checks of this group observe: a host's answer or a probe pod's, always with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.evidence import observed
from tasks.drivers.errors import OutsideError, ServiceFailed, Unasked, Unprobed
from tasks.drivers.ports import Host
from tasks.facts.asked import Asked, FactUnreadable
from tasks.facts.probe import NAMESPACE, PROGRAM, SERVICE

T = TypeVar("T")
_AT_ONCE = 16


@dataclass(frozen=True)
class Line:
    """One check's code, what it expects and how much it weighs; makes its findings."""

    code: str
    expected: str
    severity: Severity = Severity.HIGH

    def says(
        self,
        verdict: Verdict,
        subject: str,
        what: str,
        evidence: Evidence | Sequence[Evidence] = (),
        remedy: str = "",
    ) -> Finding:
        """A finding; a pass needs no remedy."""
        return Finding(
            code=self.code,
            subject=subject,
            verdict=verdict,
            observed=what,
            expected=self.expected,
            evidence=(evidence,) if isinstance(evidence, Evidence) else tuple(evidence),
            remedy="" if verdict is Verdict.PASS else remedy,
            severity=self.severity,
        )

    def judged(self, good: bool, subject: str, what: str, evidence: Evidence, remedy: str) -> Finding:
        """Pass or fail."""
        return self.says(Verdict.PASS if good else Verdict.FAIL, subject, what, evidence, remedy)

    def on_each(
        self, context: DataPlane, judge: Callable[[Node, Host], Finding | Iterable[Finding]]
    ) -> list[Finding]:
        """Judge every node of the site, several at once; one that cannot be observed is an `error`."""

        def one(node: Node) -> list[Finding]:
            host = context.hosts.get(node.name)
            if host is None:
                return [self.says(Verdict.NODATA, node.name, "no connection to this host", (), "run prepare")]
            try:
                found = judge(node, host)
            except Unasked:
                raise  # it is the same on every node
            except OutsideError as error:
                what = error.what if error.part == node.name else f"{error.part}: {error.what}"
                return [
                    self.says(Verdict.ERROR, node.name, what, (), error.remedy or "mend it and run again")
                ]
            return [found] if isinstance(found, Finding) else list(found)

        nodes = context.site.target.nodes
        with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(nodes))) as pool:
            return [finding for findings in pool.map(one, nodes) for finding in findings]


def read(context: DataPlane, host: Host, asked: Asked[T]) -> tuple[T, Evidence]:
    """A host's fact and its evidence. Raises FactUnreadable, and what `Host.run` raises."""
    output = host.run(asked.command)
    if not output.ok:
        what = (
            f"{asked.subject}: `{asked.command}` ended with {output.exit_code}: {output.stderr.strip()[:200]}"
        )
        raise FactUnreadable(host.name, what)
    try:
        value = asked.parse(output.stdout)
    except (ValueError, KeyError, IndexError) as error:
        raise FactUnreadable(host.name, f"{asked.subject} cannot be understood: {error}") from None
    return value, observed(context.clock, f"{host.name}: {asked.command}", output.stdout)


def ask(
    context: DataPlane, pod: str, words: Sequence[str], parse: Callable[[str], T], timeout_s: float = 60.0
) -> tuple[T, Evidence]:
    """What the probe program in a pod answers. Raises ServiceFailed, and what `Kube.execute` raises."""
    argv = [PROGRAM, *words]
    source = f"kubectl exec -n {NAMESPACE} {pod} -- {' '.join(argv)}"
    output = context.kube.execute(NAMESPACE, pod, argv, timeout_s=timeout_s)
    if not output.ok:
        raise ServiceFailed(pod, f"`{' '.join(argv)}` ended with {output.exit_code}: {output.stderr[:200]}")
    try:
        value = parse(output.stdout)
    except (ValueError, KeyError) as error:
        raise ServiceFailed(pod, f"`{' '.join(argv)}` answered something else: {error}") from None
    return value, observed(context.clock, source, output.stdout)


def probe_of(context: DataPlane, node: Node) -> str:
    """The probe pod on this node. Raises Unprobed where there is none."""
    return _pod(context.probes, node, "probe pod")


def node_probe_of(context: DataPlane, node: Node) -> str:
    """The probe pod on this node's own network. Raises Unprobed where there is none."""
    return _pod(context.node_probes, node, "probe pod with hostNetwork")


def _pod(pods: Mapping[str, str], node: Node, what: str) -> str:
    if node.name not in pods:
        raise Unprobed(
            node.name, f"there is no {what} on this node", "network starts probe pods and removes them"
        )
    return pods[node.name]


def probe_addresses(context: DataPlane) -> dict[str, str]:
    """The pod address of each node's probe pod, by node. Raises Unprobed where there are no probe pods."""
    if not context.probes:
        raise Unprobed(context.kube.name, "there are no probe pods", "network starts them and removes them")
    pods = {pod["metadata"]["name"]: pod for pod in context.kube.list("v1", "Pod", namespace=NAMESPACE)}
    found = {}
    for node, name in context.probes.items():
        address = pods.get(name, {}).get("status", {}).get("podIP", "")
        if not address:
            raise ServiceFailed(f"{NAMESPACE}/{name}", "the probe pod has no address")
        found[node] = str(address)
    return found


def probe_service(context: DataPlane, name: str = SERVICE) -> dict[str, Any]:
    """A Service of the probes. Raises Unprobed where it is missing."""
    service = context.kube.get("v1", "Service", name, namespace=NAMESPACE)
    if service is None:
        raise Unprobed(f"{NAMESPACE}/{name}", "the probe's Service is missing")
    return service
