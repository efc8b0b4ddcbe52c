"""The versions of kubectl and kube-proxy on a node, as the programs themselves tell."""

from __future__ import annotations

import re

from inventory.kubernetes_version import Version
from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROGRAM = """
for name in kubectl kube-proxy; do
  program=$(command -v "$name") || continue
  case $name in
    kubectl) said=$("$program" version --client) ;;
    *) said=$("$program" --version) ;;
  esac || exit 1
  printf '%s %s\\n' "$name" "$(printf '%s' "$said" | tr '\\n' ' ')"
done
"""
_VERSION = re.compile(r"\bv\d+\.\d+\.\d+\S*")


def command() -> Shellable:
    """Ask both; one that is not installed is left out."""
    return Script.of(_PROGRAM)


def parse(output: str) -> dict[str, Version]:
    """Program -> version. Raises ValueError where a program tells none."""
    found = {}
    for line in output.splitlines():
        name, _, said = line.partition(" ")
        version = _VERSION.search(said)
        if version is None:
            raise ValueError(f"{name} tells no version: {said!r}")
        found[name] = Version.of(version.group())
    return found


def ask() -> Asked[dict[str, Version]]:
    """The question."""
    return Asked("versions of programs", command(), parse)
