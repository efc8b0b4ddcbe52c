"""A cgroup of its own for every node, in every cgroup v1 hierarchy of this machine; nothing with cgroup v2.

With v1 a nspawn node sees the cgroup it was started in as its root: without one of its own, two kubelets
would write into the same groups. With v2, systemd-nspawn makes the node's group itself.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from rehearsal.plan import Plan
from rehearsal.state import State

_ROOT = Path("/sys/fs/cgroup")


def version(root: Path = _ROOT) -> int:
    """2 on a machine with the unified hierarchy alone, else 1."""
    return 2 if (root / "cgroup.controllers").exists() else 1


def hierarchies(root: Path = _ROOT) -> tuple[Path, ...]:
    """The mounted v1 hierarchies (and the v2 one beside them), aliases left out."""
    if version(root) == 2 or not root.is_dir():
        return ()
    return tuple(sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink()))


def top(plan: Plan) -> str:
    """The name of the site's cgroup, in every hierarchy."""
    return f"safe-harbor-{plan.wan_netns}"


def make(state: State, name: str) -> tuple[Path, ...]:
    """The cgroups that a node of this name starts in; none with v2."""
    made = []
    for hierarchy in hierarchies():
        group = hierarchy / top(state.plan) / name
        state.record("cgroup", str(group))
        for folder in (group.parent, group):
            # Controllers that are mounted but not in use have no cgroup.procs.
            folder.mkdir(exist_ok=True)
            _inherit_cpuset(folder)
        made.append(group)
    return tuple(made)


def _inherit_cpuset(folder: Path) -> None:
    if not (folder / "cpuset.cpus").exists():
        return
    for key in ("cpuset.cpus", "cpuset.mems"):
        (folder / key).write_text((folder.parent / key).read_text())
    (folder / "cgroup.clone_children").write_text("1")


def processes(plan: Plan) -> set[int]:
    """Every process in a cgroup of the site."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / top(plan)):
            with contextlib.suppress(OSError):  # the group went away while we walked
                found.update(map(int, (Path(folder) / "cgroup.procs").read_text().split()))
    return found


def remove(plan: Plan, within_s: float = 5.0) -> list[Path]:
    """Remove every cgroup of the site; answers those that stay because something still lives in them."""
    end = time.monotonic() + within_s
    while True:
        left = []
        for hierarchy in hierarchies():
            for folder, _, _ in os.walk(hierarchy / top(plan), topdown=False):
                try:
                    Path(folder).rmdir()
                except FileNotFoundError:
                    continue
                except OSError:
                    left.append(Path(folder))
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.1)
