"""kube-proxy's account in the cluster, and its token, which the nodes' plans need."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from inventory.models.secret import Secret
from inventory.models.site import Site
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Clock, Kube
from tasks.operations import kube_proxy
from tasks.operations.kube_proxy import ACCOUNT, ACCOUNT_NAMESPACE, manifests


@dataclass(frozen=True)
class ProxyAccount:
    """`changed` names the objects that were (or, dry, would be) created or changed; `token` is empty where
    a dry run found none."""

    token: Secret
    changed: tuple[str, ...]


def refuse_hidden_clients(site: Site, target: Kube, source: Kube | None) -> None:
    """Before anything is touched: raises BadInput where `masquerade_all` would hide client addresses from a
    NetworkPolicy of the target, or from one of the source (where there is one) that moves."""
    moving = [
        policy
        for policy in (source.list("networking.k8s.io/v1", "NetworkPolicy") if source else ())
        if policy["metadata"]["namespace"] in site.workload.namespaces
    ]
    there = target.list("networking.k8s.io/v1", "NetworkPolicy")
    kube_proxy.refuse_hidden_clients(site.target.cluster.kube_proxy, [*there, *moving])


def ensure(kube: Kube, clock: Clock, *, dry_run: bool = False, within_s: float = 20.0) -> ProxyAccount:
    """Apply the account and wait for its token. Raises ServiceFailed where none is issued in time."""
    changed = tuple(
        f"{manifest['kind']} {manifest['metadata']['name']}"
        for manifest in manifests()
        if kube.apply(manifest, dry_run=dry_run)
    )
    started = clock.now()
    while True:
        secret = kube.get("v1", "Secret", ACCOUNT, namespace=ACCOUNT_NAMESPACE) or {}
        token = secret.get("data", {}).get("token", "")
        if token or dry_run:
            return ProxyAccount(Secret(base64.b64decode(token).decode()), changed)
        if (clock.now() - started).total_seconds() > within_s:
            raise ServiceFailed(
                f"{kube.name}: {ACCOUNT_NAMESPACE}/{ACCOUNT}",
                f"no token was issued in {within_s:g} s",
                "does kube-controller-manager run, with --service-account-private-key-file?",
            )
        clock.sleep(0.25)
