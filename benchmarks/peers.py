"""ansible-core, pyinfra and Locust, pinned, in an environment of their own under build/."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

LOCK = Path(__file__).parent / "peers.lock"
HOME = Path("build/bench/peers")


def install() -> Path:
    """The folder of their programs; installed where it is not, pinned by hash in peers.lock."""
    stamp = HOME / "installed.lock"
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        sys.stderr.write(f"installing the peers into {HOME}\n")
        venv.create(HOME, with_pip=True, clear=True)
        pip = (HOME / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        subprocess.run([*pip, "--require-hashes", "--requirement", LOCK], check=True)
        stamp.write_bytes(LOCK.read_bytes())
    return (HOME / "bin").resolve()


def version(name: str) -> str:
    """The version that is installed there."""
    (site,) = (HOME / "lib").glob("python3.*/site-packages")
    found = next(iter(metadata.distributions(name=name, path=[str(site)])))
    return f"{name} {found.version}"
