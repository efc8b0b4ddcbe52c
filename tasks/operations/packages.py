"""Debian packages that a node needs from its own distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inventory.models.change import Change, Run
from inventory.models.command import Command, Script

# runc runs the containers; the others are used by kubelet, kube-proxy, flannel and the checks.
NODE = ("runc", "iptables", "nftables", "conntrack", "ethtool", "iproute2", "socat", "ca-certificates")

_INSTALL = """
export DEBIAN_FRONTEND=noninteractive
{ [ -n "$(find /var/lib/apt/lists -name '*Packages*' -mmin -1440 -print -quit 2>/dev/null)" ] ||
    apt-get -q update; } >&2 &&
apt-get -q install -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@" >&2
"""


def plan(host: str, fact: Mapping[str, str], names: Sequence[str] = NODE) -> list[Change]:
    """One change that installs what is missing; an installed package keeps its version."""
    missing = [name for name in names if name not in fact]
    if not missing:
        return []
    return [
        Change(
            host,
            f"packages {' '.join(missing)}",
            "the node needs them",
            "not installed",
            "installed",
            (Run(Script.of(_INSTALL, *missing), timeout_s=600.0),),
            (Run(Command.of("apt-get", "-q", "remove", "-y", *missing), timeout_s=300.0),),
        )
    ]
