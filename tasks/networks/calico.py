"""Calico, from the manifests that its project publishes: their path stands in the site file.

The manifests are applied as they are, once for each content of the file. What Calico does on the nodes (CNI
configuration, BIRD or VXLAN, policies) is its own; to take flannel's place it needs a new cluster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from inventory.errors import BadInput
from inventory.models.change import Change, PutFile, RemoveFile, Run
from inventory.models.cluster import Node, Role
from inventory.models.command import Command
from inventory.models.site import Site
from tasks.drivers.errors import ServiceFailed
from tasks.facts import files as file_facts
from tasks.facts.asked import Asked
from tasks.facts.flannel import ask_subnet
from tasks.facts.gather import Facts
from tasks.operations.files import Wanted
from tasks.operations.units import APPLIED

KIND = "calico"
_KUBECTL = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
_POOL = "CALICO_IPV4POOL_CIDR"


class Calico:
    """Implements `contract.PodNetwork`."""

    kind = KIND
    enforces_policies = True
    encrypts = False  # only after a FelixConfiguration that is not part of the published manifests

    def __init__(self, plane: Node, manifests: bytes) -> None:
        self._plane = plane
        self._manifests = manifests
        digest = hashlib.sha256(manifests).hexdigest()
        self._stamp = Wanted(f"{APPLIED}/calico", f"{digest}\n".encode())

    def shared_on(self) -> Node:
        """See `PodNetwork`."""
        return self._plane

    def shared_questions(self) -> Sequence[Asked[Any]]:
        """See `PodNetwork`."""
        return (file_facts.ask((self._stamp.path,)),)

    def plan_shared(self, facts: Facts) -> list[Change]:
        """The manifests, applied on the server's side."""
        there = facts.of(self.shared_questions()[0])[self._stamp.path]
        if there.sha256 == self._stamp.sha256:
            return []
        apply = Command.of(*_KUBECTL, "apply", "--server-side", "--force-conflicts", "-f", "-")
        delete = Command.of(*_KUBECTL, "delete", "--ignore-not-found", "-f", "-")
        return [
            Change(
                host=self._plane.name,
                subject="Calico's manifests",
                why="the pod network of all nodes",
                before=str(there),
                after=f"sha256 {self._stamp.content.decode()[:12]}",
                apply=(
                    Run(apply, stdin=self._manifests),
                    PutFile(self._stamp.path, self._stamp.content, self._stamp.mode),
                ),
                undo=(Run(delete, stdin=self._manifests), RemoveFile(self._stamp.path)),
            )
        ]

    def node_questions(self, node: Node) -> Sequence[Asked[Any]]:  # noqa: ARG002 - the contract's
        """See `PodNetwork`."""
        return (ask_subnet(),)

    def plan_node(self, node: Node, facts: Facts) -> list[Change]:
        """Nothing: Calico's own DaemonSet does it. Raises ServiceFailed where flannel runs."""
        if facts.of(ask_subnet()) is not None:
            raise ServiceFailed(
                node.name,
                "flannel gives this node's pods their addresses; Calico would give them others",
                "stand up a new cluster with calico and move the workload there",
            )
        return []

    def replaces(self, facts: Facts) -> bool:  # noqa: ARG002 - the contract's
        """Never: `plan_node` refuses a node with another network."""
        return False


def network(site: Site) -> Calico:
    """Raises BadInput where the manifests are not given, are not Calico's, or are for other addresses."""
    cluster, where = site.target.cluster, "target.cluster.network.manifests"
    path = cluster.network.manifests
    if path is None:
        raise BadInput(
            f"{where}: {KIND} is stood up from the manifests that its project publishes (calico.yaml of a "
            "release); download the file and give its path"
        )
    content = _read(path)
    pools = set(_pools(content, path))
    if pools - {str(cluster.pod_cidr)}:
        raise BadInput(
            f"{where}: {_POOL} is {', '.join(sorted(pools))}, but target.cluster.pod_cidr is "
            f"{cluster.pod_cidr}",
            path,
        )
    return Calico(site.target.having(Role.CONTROL_PLANE)[0], content)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"Calico's manifests cannot be read: {error.strerror}", path) from error


def _pools(content: bytes, path: Path) -> Iterator[str]:
    """The pod networks that the DaemonSet calico-node names: none, or one."""
    try:
        documents = [document for document in yaml.safe_load_all(content) if isinstance(document, dict)]
    except yaml.YAMLError as error:
        raise BadInput(f"Calico's manifests are not YAML: {error}", path) from error
    nodes = [
        document
        for document in documents
        if document.get("kind") == "DaemonSet" and document.get("metadata", {}).get("name") == "calico-node"
    ]
    if not nodes:
        raise BadInput("has no DaemonSet calico-node: these are not Calico's manifests", path)
    for document in nodes:
        for container in document["spec"]["template"]["spec"]["containers"]:
            for variable in container.get("env", ()):
                if variable["name"] == _POOL and "value" in variable:
                    yield str(variable["value"])
