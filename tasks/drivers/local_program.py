"""The cluster's programs on the lead's machine: which version of Kubernetes they are."""

from __future__ import annotations

import subprocess
from pathlib import Path

from inventory.errors import BadInput
from inventory.kubernetes_version import Version

_WITHIN_S = 30.0


def kubernetes_version(folder: Path) -> Version:
    """The version that the folder's kubeadm tells. Raises BadInput where there is none, or it tells none.

    A folder may have the one program `kubernetes`, which is kubeadm under that name.
    """
    program = next((path for name in ("kubeadm", "kubernetes") if (path := folder / name).is_file()), None)
    if program is None:
        raise BadInput("has neither kubeadm nor kubernetes among its programs", folder)
    try:
        done = subprocess.run(
            ["kubeadm", "version", "--output=short"],
            executable=program,
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
        return Version.of(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise BadInput(f"does not tell its version: {error}", program) from None
