"""Which version a node's control plane runs, by the manifests that its kubelet follows."""

from __future__ import annotations

from inventory.kubernetes_version import Version
from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROGRAM = """
for name in kube-apiserver kube-controller-manager kube-scheduler; do
  manifest=/etc/kubernetes/manifests/$name.yaml
  [ -e "$manifest" ] || continue
  sed -n 's/^ *image: *//p' "$manifest" | head -n 1
done
"""


def command() -> Shellable:
    """Ask for the images of the static pods; a node that is no control plane has none."""
    return Script.of(_PROGRAM)


def parse(output: str) -> Version | None:
    """The oldest of its programs; None on a worker. Raises ValueError where an image names no version."""
    return min((Version.of(image.rpartition(":")[2]) for image in output.split()), default=None)


def ask() -> Asked[Version | None]:
    """The question."""
    return Asked("control plane", command(), parse)
