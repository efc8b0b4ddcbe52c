"""What other networks have left on a node, and its removal: planned once every node has its new network."""

from __future__ import annotations

from typing import Any

from inventory.models.change import Change
from inventory.models.cluster import Node
from inventory.models.site import Site
from tasks.facts import weave
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations import flannel_leftovers, weave_leftovers


def questions() -> tuple[Asked[Any], ...]:
    """What must be known of a node."""
    return (*flannel_leftovers.questions(), weave.ask())


def plan_before(site: Site, node: Node, facts: Facts) -> list[Change]:
    """What must stand on every node before `plan_node` is applied to any."""
    return flannel_leftovers.plan_before(node.name, site.target.cluster, facts)


def plan_node(site: Site, node: Node, facts: Facts) -> list[Change]:
    """Whatever is not of the declared network; a second plan after it has nothing left."""
    return [
        *flannel_leftovers.plan_node(node.name, site.target.cluster, facts),
        *weave_leftovers.plan(node.name, facts.of(weave.ask())),
    ]
