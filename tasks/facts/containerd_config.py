"""containerd's effective configuration: which cgroup driver its runtime uses."""

from __future__ import annotations

import tomllib

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

# A node's containerd is ours where it lies; elsewhere it is found by PATH.
_PROGRAM = """
PATH=/opt/safe-harbor/bin:$PATH
containerd --config /etc/containerd/config.toml config dump
"""


def command() -> Shellable:
    """Ask for the whole configuration, defaults included."""
    return Script.of(_PROGRAM)


def parse(output: str) -> str:
    """`systemd` or `cgroupfs`. Raises ValueError where runc's options are not in it."""
    plugins = tomllib.loads(output).get("plugins", {})
    for name in ("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"):
        runtimes = plugins.get(name, {}).get("containerd", {}).get("runtimes", {})
        if "runc" in runtimes:
            systemd = runtimes["runc"].get("options", {}).get("SystemdCgroup", False)
            return "systemd" if systemd else "cgroupfs"
    raise ValueError("it names no runtime runc")


def ask() -> Asked[str]:
    """The question."""
    return Asked("containerd's cgroup driver", command(), parse)
