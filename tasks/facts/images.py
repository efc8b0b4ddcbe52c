"""The images that containerd holds for Kubernetes."""

from __future__ import annotations

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

# Before containerd runs there are none; once it runs, a failing `ctr` is a failure.
_PROGRAM = """
[ -S /run/containerd/containerd.sock ] || exit 0
"$1" -n k8s.io images ls -q
"""


def command(ctr: str) -> Shellable:
    """Ask for the references; `ctr` is the program's path."""
    return Script.of(_PROGRAM, ctr)


def parse(output: str) -> frozenset[str]:
    """Raises ValueError where a line is no reference."""
    lines = output.split("\n")
    for line in lines:
        if " " in line:
            raise ValueError(f"not an image's name: {line!r}")
    return frozenset(line for line in lines if line)


def ask(ctr: str) -> Asked[frozenset[str]]:
    """The question."""
    return Asked("images", command(ctr), parse)
