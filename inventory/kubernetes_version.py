"""Kubernetes' versions: their form, which parts may differ from which, and the steps of an upgrade.

The rules are those of Kubernetes' version skew policy (kubernetes.io/releases/version-skew-policy). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_FORM = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?")


@dataclass(frozen=True, order=True)
class Version:
    """A release; what follows the patch (`-rc.1`, `+vendor`) does not count for the rules."""

    major: int
    minor: int
    patch: int

    @classmethod
    def of(cls, text: str) -> Self:
        """The version of `1.37.1` or `v1.37.1`. Raises ValueError where it is none."""
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is no version (allowed: such as 1.37.1)")
        return cls(*(int(part) for part in match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class Part:
    """A program of a cluster as it is: `component` such as `kubelet`, `subject` is where it runs."""

    component: str
    subject: str
    version: Version


# component -> how many minors it may be older, and newer, than the API server.
AGAINST_API: dict[str, tuple[int, int]] = {
    "kube-controller-manager": (1, 0),
    "kube-scheduler": (1, 0),
    "cloud-controller-manager": (1, 0),
    "kubelet": (3, 0),
    "kube-proxy": (3, 0),
    "kubectl": (1, 1),
}
API_APART = 1  # API servers of one cluster
PROXY_FROM_KUBELET = 3  # kube-proxy and the kubelet of the same node, either way


def skewed(parts: Iterable[Part]) -> dict[Part, str]:
    """What the policy does not support, and why; a component that it does not name is let be.

    While an upgrade runs the API servers differ: a part must suit the oldest and the newest of them.
    """
    found: dict[Part, str] = {}
    every = tuple(parts)
    servers = [part.version for part in every if part.component == "kube-apiserver"]
    if not servers:
        return found
    oldest, newest = min(servers), max(servers)
    kubelets = {part.subject: part.version for part in every if part.component == "kubelet"}
    for part in every:
        wrong = []
        if part.version.major != newest.major:
            wrong.append(f"another major version than the API server's {newest}")
        elif part.component == "kube-apiserver" and newest.minor - part.version.minor > API_APART:
            wrong.append(f"more than {API_APART} minor older than another API server, {newest}")
        elif part.component in AGAINST_API:
            older, newer = AGAINST_API[part.component]
            if newest.minor - part.version.minor > older:
                wrong.append(f"more than {older} minor older than the API server {newest}")
            if part.version.minor - oldest.minor > newer:
                more = f"more than {newer} minor newer" if newer else "newer"
                wrong.append(f"{more} than the API server {oldest}")
        kubelet = kubelets.get(part.subject)
        if part.component == "kube-proxy" and kubelet:
            apart = abs(kubelet.minor - part.version.minor)
            if apart > PROXY_FROM_KUBELET:
                wrong.append(f"{apart} minors from the kubelet {kubelet} beside it")
        if wrong:
            found[part] = "; ".join(wrong)
    return found


def refused_upgrade(now: Version, to: Version, parts: Iterable[Part] = ()) -> str:
    """Why kubeadm's way from `now` to `to` is not one; empty where it is. One minor at a time, never down.

    `parts` are the cluster's programs: one that the new API server would not support refuses it as well.
    """
    if to == now:
        return ""  # an upgrade that was interrupted goes on
    if to < now:
        return f"{to} is older than {now}: kubeadm has no way down; restore a backup of etcd instead"
    if to.major != now.major:
        return f"{now.major} to {to.major}: another major version"
    if to.minor - now.minor > 1:
        return f"{now} to {to} skips a minor: upgrade to {now.major}.{now.minor + 1}.x first"
    servers = [Part("kube-apiserver", "the new one", to)]
    others = [part for part in parts if part.component in ("kubelet", "kube-proxy")]
    skew = skewed([*servers, *others])
    return "; ".join(
        f"{part.component} on {part.subject} {part.version}: {why}" for part, why in skew.items()
    )
