"""What a kubelet tells of the machine beneath it: the kernel's tasks and threads, the disk's state and use.

Two of its pages have parts of it, and either may be missing: /stats/summary can fail as a whole, as where
kubelet does not find the device of its root file system (a container).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

SUMMARY, CADVISOR = "stats/summary", "metrics/cadvisor"
_LINE = re.compile(r'^container_fs_(\w+)\{([^}]*\bid="/"[^}]*)\} (\S+)', re.MULTILINE)
_PROCESSES = re.compile(r'^container_processes\{[^}]*\bid="/"[^}]*\} (\d+)', re.MULTILINE)
_DEVICE = re.compile(r'device="(/dev/[^"]+)"')


@dataclass(frozen=True)
class Disk:
    """One disk: size and use in bytes, inodes in use, the kernel's counts of reads and writes since boot."""

    size: int
    used: int
    inodes: int
    reads: int = 0
    writes: int = 0


def parse_tasks(text: str) -> int:
    """All tasks of the kernel (/proc/loadavg), of /stats/summary. Raises ValueError, KeyError, TypeError."""
    return int(json.loads(text)["node"]["rlimit"]["curproc"])


def parse_processes(text: str) -> int | None:
    """Processes in the root cgroup itself, of /metrics/cadvisor; None where it does not tell.

    A kernel's own threads stand there and cannot leave it: on a machine that has one they are 50 and more.
    """
    found = _PROCESSES.search(text)
    return int(found[1]) if found else None


def parse_disk(text: str) -> Disk | None:
    """The largest disk of /metrics/cadvisor, None where it names none. Raises ValueError for no number."""
    found: dict[str, dict[str, int]] = {}
    for name, labels, value in _LINE.findall(text):
        device = _DEVICE.search(labels)
        if device is not None:
            found.setdefault(device[1], {})[name] = int(float(value))
    whole = [each for each in found.values() if {"limit_bytes", "usage_bytes", "inodes_total"} <= each.keys()]
    if not whole:
        return None
    disk = max(whole, key=lambda each: each["limit_bytes"])
    return Disk(
        disk["limit_bytes"],
        disk["usage_bytes"],
        disk["inodes_total"] - disk.get("inodes_free", 0),
        disk.get("reads_total", 0),
        disk.get("writes_total", 0),
    )
