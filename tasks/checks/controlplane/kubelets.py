"""The kubelets as they run now, asked one by one through the API server on a control-plane node."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.cluster import Role
from tasks.checks.asking import answer, ask_hosts
from tasks.checks.context import ControlPlane
from tasks.drivers.errors import OutsideError
from tasks.facts import kubelet_config
from tasks.facts.kubelet_config import KubeletConfig


def running(context: ControlPlane) -> Iterator[tuple[str, KubeletConfig | OutsideError]]:
    """Each node with its kubelet's configuration, or why it could not be asked."""
    planes = context.site.target.having(Role.CONTROL_PLANE)
    for node in context.site.target.nodes:
        if not planes:
            yield node.name, OutsideError(node.name, "no declared control plane can ask its kubelet")
            continue
        plane = planes[0].name
        asked = kubelet_config.ask(node.name)
        facts = ask_hosts(context.hosts, {plane: (asked,)})[plane]
        try:
            yield node.name, answer(facts, asked)
        except OutsideError as error:
            yield node.name, error
