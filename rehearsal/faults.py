"""Faults that a rehearsal puts into the site, to show that the exit notices them and what it does then.

A fault acts on the site from outside: the exit knows nothing of it.
"""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Protocol, Self

from inventory.errors import BadInput
from inventory.load import load_site
from inventory.models.command import Command
from inventory.models.site import Site
from rehearsal.plan import Plan
from tasks.drivers.edge import HaproxyEdge, over_tcp
from tasks.drivers.errors import OutsideError
from tasks.drivers.kube import KubeApi
from tasks.drivers.ssh import SshHost

log = logging.getLogger(__name__)

SLOWED_BY_MS = 120  # more than the link's delay and the source's own time, with every margin


class Fault(Protocol):
    """Something that goes wrong at its moment."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def after_stage(self, name: str) -> None:
        """Told of every stage that has ended."""


class NoFault:
    """Nothing goes wrong."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def after_stage(self, name: str) -> None:
        """See `Fault`."""


class SlowTarget(NoFault):
    """The shop at the target answers later than the margin allows, from the end of `move` on."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def after_stage(self, name: str) -> None:
        """Set the shop's delay in its Deployment and wait until every pod of the old one is gone."""
        if name == "move":
            site = load_site(self._plan.site_file)
            slow_down(site, SLOWED_BY_MS)


class DeadEdge:
    """The target's edge dies when half of the traffic goes there."""

    def __init__(self, plan: Plan, at_percent: int = 50) -> None:
        self._plan = plan
        self._at_percent = at_percent
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._strike, name="fault", daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def after_stage(self, name: str) -> None:
        """See `Fault`."""

    def _strike(self) -> None:
        plan = self._plan
        edge = HaproxyEdge("fault", over_tcp(plan.elb_public, plan.edge_runtime_port))
        while not self._over.wait(0.1):
            try:
                if edge.weights()["target"] < self._at_percent:
                    continue
            except OutsideError as error:
                log.info("the fault waits for the source's edge: %s", error)
                continue
            break
        if self._over.wait(1.0):  # let it serve its half for a moment
            return
        site = load_site(plan.site_file)
        node = next(node for node in site.target.nodes if str(node.address) == plan.oslo_edge.address)
        with SshHost(node, site.target.ssh) as host:
            # Masked, so that no restart of systemd's heals the fault.
            host.check(Command.of("systemctl", "mask", "--now", "--runtime", "haproxy.service"))
        log.info("killed the target's edge on %s", node.name)


def slow_down(site: Site, delay_ms: int) -> None:
    """Make every answer of the target's shop wait, and return when only slowed pods serve."""
    work = site.workload
    kube = KubeApi.open(site.target.cluster.kubeconfig, "target")
    found = kube.get("apps/v1", "Deployment", work.deployment, namespace=work.namespaces[0])
    if found is None:
        raise OutsideError("target", f"has no Deployment {work.deployment}", "run `move` first")
    container = found["spec"]["template"]["spec"]["containers"][0]
    others = [each for each in container.get("env", []) if each["name"] != "DELAY_MS"]
    container["env"] = [*others, {"name": "DELAY_MS", "value": str(delay_ms)}]
    kube.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": work.deployment, "namespace": work.namespaces[0]},
            "spec": found["spec"],
        }
    )
    wait_for_rollout(kube, work.namespaces[0], work.deployment)


def wait_for_rollout(kube: KubeApi, namespace: str, name: str, within_s: float = 90.0) -> None:
    """Wait until every replica is of the newest template and ready. Raises OutsideError after `within_s`."""
    pause = threading.Event()
    for _ in range(int(within_s / 0.5)):
        found = kube.get("apps/v1", "Deployment", name, namespace=namespace) or {}
        status, wanted = found.get("status", {}), found.get("spec", {}).get("replicas", 1)
        current = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        if current and counts == [wanted] * 3:
            return
        pause.wait(0.5)
    raise OutsideError("target", f"{namespace}/{name} did not roll out within {within_s:.0f} s")


def fault_named(name: str | None, plan: Plan) -> Fault:
    """The fault of that name. Raises BadInput, listing the known."""
    if name is None:
        return NoFault()
    if name == "gate":
        return SlowTarget(plan)
    if name == "cutover":
        return DeadEdge(plan)
    raise BadInput(f"there is no fault {name!r}; known: gate, cutover")
