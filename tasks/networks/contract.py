"""What a pod network is to the rest of the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from inventory.models.change import Change
from inventory.models.cluster import Node
from inventory.models.site import Site
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts


class PodNetwork(Protocol):
    """Plans a network on a site's nodes; it opens nothing and applies nothing.

    It is made by `network(site)` of its module, which raises BadInput where the site's environment cannot
    carry it (before anything is touched). Plans are in the order in which they are to be applied: all of
    `plan_shared` first, then the nodes, in any order or at once. A repeat plans nothing.
    """

    @property
    def kind(self) -> str:
        """Its name in a site file."""

    @property
    def enforces_policies(self) -> bool:
        """Whether NetworkPolicies are enforced on it; where they are not, they are refused, never ignored."""

    @property
    def encrypts(self) -> bool:
        """Whether what passes between nodes is encrypted."""

    def shared_on(self) -> Node:
        """The node from which the shared part is planned and applied."""

    def shared_questions(self) -> Sequence[Asked[Any]]:
        """What must be known of that node."""

    def plan_shared(self, facts: Facts) -> list[Change]:
        """What is set once for all nodes."""

    def node_questions(self, node: Node) -> Sequence[Asked[Any]]:
        """What must be known of a node."""

    def plan_node(self, node: Node, facts: Facts) -> list[Change]:
        """The changes of one node."""

    def replaces(self, facts: Facts) -> bool:
        """Whether pods of the node are on a network that these changes take away or alter beneath them."""


class MakesNetwork(Protocol):
    """`network(site)` of a network's module."""

    def __call__(self, site: Site) -> PodNetwork:
        """Raises BadInput where the site cannot carry this network."""
