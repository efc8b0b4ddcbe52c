"""What of this machine a rehearsal must leave as it found it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from rehearsal import cgroups, policy
from rehearsal.plan import Plan
from rehearsal.state import MARK
from rehearsal.teardown import NSPAWN

# Counters and gauges of the kernel: they change by themselves.
_VOLATILE = re.compile(
    r"^(fs\.(dentry-state|file-nr|inode-(nr|state)|aio-nr|quota\.)|kernel\.(ns_last_pid|random\.|pty\.nr|sched_)"
    r"|net\.netfilter\.nf_conntrack_count|vm\.stat)"
)
_COUNTS = re.compile(r"\[\d+:\d+\]|counter packets \d+ bytes \d+| expires \d+sec")


def snapshot(plan: Plan) -> dict[str, list[str]]:
    """Every aspect as sorted lines; `plan` tells which names are the site's own."""
    return {
        "sysctls": _lines("sysctl", "-a", leave_out=_VOLATILE),
        "iptables": _lines("iptables-save", leave_out=re.compile(r"^#")),
        "ip6tables": _lines("ip6tables-save", leave_out=re.compile(r"^#")),
        "nftables": _lines("nft", "list", "ruleset"),
        "links": _lines("ip", "-o", "-br", "link"),
        "addresses": _lines("ip", "-o", "-br", "address"),
        "routes": _lines("ip", "route", "show", "table", "all"),
        "routes6": _lines("ip", "-6", "route", "show", "table", "all"),
        "rules": _lines("ip", "rule"),
        "rules6": _lines("ip", "-6", "rule"),
        "mounts": sorted(line.split(" ", 3)[3] for line in _read("/proc/self/mountinfo")),
        "namespaces": sorted(_names(Path("/run/netns"))),
        "cgroups": sorted(
            str(path / cgroups.top(plan))
            for path in cgroups.hierarchies()
            if (path / cgroups.top(plan)).exists()
        ),
        "processes": sorted(_marked(plan)),
        "files": [str(plan.state)] if plan.state.exists() else [],
        "policy": _read(str(policy.FILE)) if policy.FILE.exists() else [],
        "nspawn": sorted(str(path) for path in NSPAWN.glob("*/*") if path.parent.name != "locks"),
    }


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """Per aspect that differs: the lines that went (`-`) and came (`+`)."""
    found = {}
    for aspect, lines in before.items():
        gone = [f"- {line}" for line in lines if line not in after[aspect]]
        came = [f"+ {line}" for line in after[aspect] if line not in lines]
        if gone or came:
            found[aspect] = gone + came
    return found


def _lines(*argv: str, leave_out: re.Pattern[str] | None = None) -> list[str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout or done.returncode == 0, f"{argv}: {done.stderr}"
    lines = (_COUNTS.sub("", line).strip() for line in done.stdout.splitlines())
    return sorted(line for line in lines if not (leave_out and leave_out.match(line)))


def _read(file: str) -> list[str]:
    return Path(file).read_text().splitlines()


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _marked(plan: Plan) -> list[str]:
    mark = f"{MARK}={plan.state}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended while we looked
    return found
