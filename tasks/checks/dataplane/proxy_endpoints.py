"""KP-ENDPOINTS: each Service's rules on each node lead to exactly its ready endpoints, in either mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inventory.models.cluster import Node, ProxyMode
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.dataplane.remedies import PROXY, log
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts import iptables, nftables

TRIES, PAUSE_S = 4, 1.0  # endpoints may be changing at the moment of the question
LINE = Line(
    "KP-ENDPOINTS",
    "per Service, the addresses that kube-proxy's rules lead to are its ready EndpointSlice addresses",
    Severity.CRITICAL,
)


def expected_endpoints(context: DataPlane) -> dict[str, frozenset[str]]:
    """`namespace/name:port` -> ready `address:port`, of Services with a cluster IP and an endpoint."""
    slices: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for item in context.kube.list("discovery.k8s.io/v1", "EndpointSlice"):
        service = item["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        if item.get("addressType") == "IPv4":
            slices.setdefault((item["metadata"]["namespace"], service), []).append(item)
    found: dict[str, frozenset[str]] = {}
    for service in context.kube.list("v1", "Service"):
        namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
        spec = service["spec"]
        if spec.get("clusterIP", "None") in ("", "None") or spec.get("internalTrafficPolicy") == "Local":
            continue
        for port in spec.get("ports", ()):
            label = port.get("name", "")
            ready = frozenset(
                f"{address}:{own['port']}"
                for item in slices.get((namespace, name), ())
                for own in item.get("ports") or ()
                if (own.get("name") or "") == label and own.get("port")
                for endpoint in item.get("endpoints") or ()
                if (endpoint.get("conditions") or {}).get("ready") is not False
                for address in endpoint["addresses"][:1]
            )
            if ready:
                found[f"{namespace}/{name}" + (f":{label}" if label else "")] = ready
    return found


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, naming the Services that differ."""
    mode = context.site.target.cluster.kube_proxy.mode

    if mode in (ProxyMode.IPVS, ProxyMode.USERSPACE):
        what = f"the rules of {mode} mode are not read here"
        return [LINE.says(Verdict.WARN, "site", what, (), "KP-DIAL and KP-VIP-NODE ask the same by use")]

    def of_chains(host: Host) -> tuple[Mapping[str, frozenset[str]], Evidence]:
        rules, evidence = read(context, host, iptables.ask())
        return rules.endpoints(), evidence

    def routed(host: Host) -> tuple[Mapping[str, frozenset[str]], Evidence]:
        if mode is ProxyMode.IPTABLES:
            return of_chains(host)
        table, evidence = read(context, host, nftables.ask())
        if mode is ProxyMode.UNKNOWN and not table.there:
            return of_chains(host)
        return {name: ends for name, ends in table.endpoints.items() if ends}, evidence

    def look(host: Host) -> tuple[list[str], int, Evidence]:
        found, evidence = routed(host)
        wanted = expected_endpoints(context)
        wrong = [
            f"{service}: {sorted(found.get(service, ()))} instead of {sorted(wanted.get(service, ()))}"
            for service in sorted(wanted.keys() | found.keys())
            if found.get(service, frozenset()) != wanted.get(service, frozenset())
        ]
        return wrong, len(wanted), evidence

    def judge(node: Node, host: Host) -> Finding:
        for attempt in range(TRIES):
            if attempt:
                context.clock.sleep(PAUSE_S)
            wrong, services, evidence = look(host)
            if not wrong:
                what = f"{services} Service ports lead to their ready endpoints"
                return LINE.says(Verdict.PASS, node.name, what, evidence)
        remedy = f"{log(context, node.name, PROXY)}; does it still reach the API server?"
        return LINE.says(Verdict.FAIL, node.name, "; ".join(wrong[:5]), evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "Services lead to their ready endpoints", "dataplane", LINE.severity, run)
