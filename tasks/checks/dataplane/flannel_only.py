"""What the FL checks share: they are about flannel, and say so where another network is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line
from tasks.drivers.errors import ServiceFailed
from tasks.operations.flannel_backends import Backend, backend_of

Run = Callable[[DataPlane], Iterable[Finding]]


def on_flannel(line: Line, run: Run) -> Run:
    """`run`, and for a network that is not flannel's one `warn` of the site: nobody looked."""

    def asked(context: DataPlane) -> Iterable[Finding]:
        network = context.site.target.cluster.network
        if backend_of(network) is not None:
            return run(context)
        what = f"the network is {network.kind}: what flannel would have is not looked at"
        return [line.says(Verdict.WARN, "site", what, (), f"look at {network.kind} with its own tools")]

    return asked


def backend(context: DataPlane) -> Backend:
    """The declared backend. Raises ServiceFailed where the network is not flannel's."""
    network = context.site.target.cluster.network
    found = backend_of(network)
    if found is None:
        raise ServiceFailed(network.kind, "has no flannel backend")
    return found
