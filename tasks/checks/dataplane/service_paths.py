"""The ways to a Service, shared by KP-VIP-POD, KP-VIP-NODE, KP-HAIRPIN and KP-NODEPORT.

A Service picks an endpoint at random for each connection, so enough connections are made to meet all of them.
"""

from __future__ import annotations

from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import probe_service
from tasks.facts.probe import NAMESPACE, SERVICE, Hits

_PER_ENDPOINT = 16  # one endpoint of n is missed by 16 n connections in one run of ten million
_TIMEOUT_S = 5.0  # on a busy machine: a lost first packet goes again after 1 s, that one after 2 more
_STOP = 8  # errors, after which no more is learned


def endpoints_of_probe(context: DataPlane, service: str = SERVICE) -> frozenset[str]:
    """Names of the pods that stand ready behind a Service of the probes."""
    selector = f"kubernetes.io/service-name={service}"
    return frozenset(
        endpoint["targetRef"]["name"]
        for item in context.kube.list(
            "discovery.k8s.io/v1", "EndpointSlice", namespace=NAMESPACE, selector=selector
        )
        for endpoint in item.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False and "targetRef" in endpoint
    )


def cluster_address(context: DataPlane, service: str = SERVICE) -> str:
    """A Service's cluster address. Raises ServiceFailed where there is no such Service."""
    return str(probe_service(context, service)["spec"]["clusterIP"])


def virtual_url(context: DataPlane, service: str = SERVICE) -> str:
    """A Service's cluster address as a URL."""
    return f"http://{cluster_address(context, service)}/"


def enough(endpoints: int) -> int:
    """How many connections meet all of so many endpoints."""
    return _PER_ENDPOINT * max(endpoints, 1)


def node_port(context: DataPlane) -> int:
    """The Service's NodePort."""
    return int(probe_service(context)["spec"]["ports"][0]["nodePort"])


def hits_words(url: str, endpoints: int, *, stop: int = _STOP) -> list[str]:
    """The probe's words for enough connections to meet all endpoints, or `stop` errors (0: any number)."""
    return [
        "hits",
        "-n",
        str(enough(endpoints)),
        "-c",
        "32",
        "-timeout",
        f"{_TIMEOUT_S:g}",
        "-stop",
        str(stop),
        url,
    ]


def shortfall(hits: Hits, wanted: frozenset[str]) -> str:
    """What is wrong with it, empty where every connection was answered and every endpoint met."""
    if hits.errors:
        return f"{hits.errors} of {hits.requests} connections failed: {hits.error}"
    missed = sorted(wanted - hits.by.keys())
    return f"never met {', '.join(missed)}" if missed else ""


def summary(hits: Hits) -> str:
    """One line for a pass."""
    return f"{hits.requests} connections, {len(hits.by)} endpoints met, none failed"
