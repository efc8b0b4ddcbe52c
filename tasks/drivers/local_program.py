"""Programs on the lead's own machine: the cluster's, for their version, and a shell for a question."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from inventory.errors import BadInput
from inventory.kubernetes_version import Version
from inventory.models.command import Shellable
from tasks.drivers.errors import CommandFailed
from tasks.drivers.ports import Output

_WITHIN_S = 30.0
HERE = "this machine"


def run_here(command: Shellable, *, timeout_s: float = _WITHIN_S) -> Output:
    """Run it in this machine's shell and return what it left. Raises CommandFailed for a time-out."""
    start = time.monotonic()
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command.render()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(HERE, f"`{command}`: {error}") from error
    return Output(done.returncode, done.stdout, done.stderr, time.monotonic() - start)


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
