"""What a backend of flannel leaves on a node when another takes its place, and how it goes.

flanneld removes neither its link nor its routes when it ends. That keeps pods reachable while the nodes of a
cluster change one by one; at the end, the old routes would still win over the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inventory.models.change import Change, Run
from inventory.models.cluster import Cluster
from inventory.models.command import Command, Script
from tasks.facts import links, routes, units
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.facts.links import Link
from tasks.facts.routes import Route
from tasks.operations import bird
from tasks.operations.flannel_backends import WIREGUARD_LINK, backend_of

_PLAIN = ("flannel_host_gw", "flannel_vxlan")  # flanneld makes plain routes, or puts its own in their place
_WHY = "another backend of flannel has left it"
# BIRD's routes must be there before those go that win over them (12 is BIRD's number in rtnetlink).
_LEARNT = """
for network do
  tries=0
  until ip -4 route show "$network" proto 12 | grep -q .; do
    tries=$((tries + 1))
    [ "$tries" -le 120 ] ||
      { echo "BIRD has not learnt $network in 60 s: birdc show protocols all" >&2; exit 1; }
    sleep 0.5
  done
done
"""
_RESTART = Run(Command.of("systemctl", "restart", "flanneld.service"), timeout_s=120)


def overlay_links(found: Mapping[str, Link]) -> tuple[str, ...]:
    """The links that flannel's backends make, of those that are there."""
    return tuple(
        name
        for name, link in sorted(found.items())
        if name == WIREGUARD_LINK or (link.kind == "vxlan" and name.startswith("flannel."))
    )


def questions() -> tuple[Asked[Any], ...]:
    """What must be known of the node."""
    return (links.ask(), routes.ask(), units.ask((bird.UNIT,)))


def plan_before(host: str, cluster: Cluster, facts: Facts) -> list[Change]:
    """What must stand on all nodes before anything is removed on one.

    host-gw's flanneld takes a route of BIRD's for its own, and all of them go as soon as one BIRD ends.
    """
    if cluster.network.kind != "flannel_host_gw":
        return []
    ways = [route for route in facts.of(routes.ask()) if route.via and routes.within(route, cluster.pod_cidr)]
    own = {way.destination for way in ways if way.protocol != "bird"}
    return [_own(host, way) for way in ways if way.protocol == "bird" and way.destination not in own]


def plan_node(host: str, cluster: Cluster, facts: Facts) -> list[Change]:
    """Remove what is not the declared network's. To be applied when every node has its new backend."""
    backend = backend_of(cluster.network)
    told = cluster.network.kind == "bgp"
    ways = [route for route in facts.of(routes.ask()) if route.via and routes.within(route, cluster.pod_cidr)]
    changes = []
    for name in overlay_links(facts.of(links.ask())):
        if backend is None or name != backend.link:
            changes.append(_link(host, name, [way for way in ways if told and way.device == name]))
    unit = facts.of(units.ask((bird.UNIT,)))[bird.UNIT]
    if not told and (unit.running or unit.enabled == "enabled"):
        changes.append(_bird(host))
    for way in ways:
        mine = told if way.protocol == "bird" else cluster.network.kind in _PLAIN
        if not way.onlink and not mine:
            changes.append(_route(host, way, _learnt([way]) if told else ()))
    return changes


def _learnt(stale: Sequence[Route]) -> tuple[Run, ...]:
    return (Run(Script.of(_LEARNT, *(route.destination for route in stale))),) if stale else ()


def _own(host: str, learnt: Route) -> Change:
    words = (learnt.destination, "via", learnt.via, "dev", learnt.device, "proto", "boot")
    return Change(
        host,
        f"route {learnt.destination} via {learnt.via}",
        "BIRD's route ends with BIRD",
        "BIRD's",
        "flannel's as well",
        (Run(Command.of("ip", "route", "append", *words)),),
        (Run(Command.of("ip", "route", "delete", *words)),),
    )


def _link(host: str, name: str, stale: Sequence[Route]) -> Change:
    apply = (*_learnt(stale), Run(Command.of("ip", "link", "delete", name)))
    return Change(host, f"link {name}", _WHY, "there, with its routes", "absent", apply, (_RESTART,))


def _bird(host: str) -> Change:
    return Change(
        host,
        f"service {bird.UNIT}",
        "the pod network is not told by BGP any more",
        "active or enabled",
        "stopped, disabled",
        (Run(Command.of("systemctl", "disable", "--now", bird.UNIT)),),
        (Run(Command.of("systemctl", "enable", "--now", bird.UNIT)),),
    )


def _route(host: str, route: Route, first: tuple[Run, ...]) -> Change:
    words = (route.destination, "via", route.via, "dev", route.device, "proto", route.protocol or "boot")
    return Change(
        host,
        f"route {route.destination} via {route.via}",
        _WHY,
        "there",
        "absent",
        (*first, Run(Command.of("ip", "route", "delete", *words))),
        (Run(Command.of("ip", "route", "append", *words)),),
    )
