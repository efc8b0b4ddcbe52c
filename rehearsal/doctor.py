"""What this machine can and cannot do for a rehearsal, by bounded trials, not by guessing.

The trials run in a network and mount namespace of their own that ends with them: nothing of this machine
changes. What the packages will bring, when `rehearse` installs them, is a warning: only what they do not mend
makes a rehearsal impossible.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from rehearsal import cgroups, packages, parts, teardown
from rehearsal.cluster_source import host_facts
from rehearsal.plan import Plan

GIB = 1 << 30
_TRIAL_S = 5.0
_INOTIFY_A_NODE = 18  # counted: 13 a worker, 26 a control plane
_DISK_GIB, _DISK_BUILD_GIB, _MEMORY_GIB = 3, 6, 6
PREFECT_PORT = 4200  # what `flows.orchestrator` takes where it is free


class Level(StrEnum):
    """How good an observation is: `fail` means that no rehearsal can run."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Observation:
    """One thing about this machine; `remedy` is what to do, empty where all is well."""

    name: str
    level: Level
    observed: str
    remedy: str = ""


# Name of a kernel feature -> the trial (shell, in namespaces of its own) and what it is for.
_TRIALS = {
    "network namespaces and veth": ("ip link add name v0 type veth peer name v1", "the site's networks"),
    "bridge": ("ip link add br0 type bridge", "the site's networks"),
    "policy routing": ("ip rule add iif lo to 10.40.0.0/24 prohibit", "keeping the two sides apart"),
    "vxlan": ("ip link set lo up && ip link add vx0 type vxlan id 1 dstport 8472 dev lo", "flannel"),
    "iptables nat": ("iptables -t nat -A PREROUTING -m comment --comment x -j RETURN", "kube-proxy"),
    "iptables statistic": (
        "iptables -t nat -A PREROUTING -m statistic --mode random --probability 0.5 -j RETURN",
        "kube-proxy in iptables mode",
    ),
    "connection tracking": ("iptables -A INPUT -m conntrack --ctstate NEW -j RETURN", "kube-proxy"),
    "bridge-nf": (
        "ip link add br0 type bridge && test -e /proc/sys/net/bridge/bridge-nf-call-iptables",
        "services that a pod reaches on its own node; load it with: modprobe br_netfilter",
    ),
    "overlay file systems": (
        "mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/m"
        " && mount -t overlay o -o lowerdir=/usr,upperdir=/mnt/u,workdir=/mnt/w /mnt/m",
        "the nodes' roots",
    ),
}


def examine(plan: Plan | None = None, *, will_build: bool | None = None) -> list[Observation]:
    """Every observation, in the order in which a person fixes them."""
    plan = plan or Plan()
    will_build = bool(parts.missing()) if will_build is None else will_build
    found = [_root()]
    found.append(_packages(packages.wanted(build=will_build, deep=bool(plan.kvm_hosts))))
    if os.geteuid() == 0:
        found += [_trial(name, *trial) for name, trial in _TRIALS.items()]
    found += [_tun(), _inotify(plan), _cgroups(), _limits(), _merged_usr()]
    found += [_go(will_build), _memory(Path("/proc/meminfo").read_text())]
    found += [_disk(plan, will_build), _port_owner(plan), port(PREFECT_PORT), _site(plan)]
    return found


def as_json(found: list[Observation]) -> dict[str, object]:
    """The JSON document of an examination."""
    worst = max((item.level for item in found), key=list(Level).index, default=Level.OK)
    return {"schema": "doctor/1", "level": worst, "observations": [asdict(item) for item in found]}


def run_trial(script: str, run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> str:
    """Run a trial in namespaces of its own; answers why it failed, "" where it worked."""
    argv = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", script]
    try:
        done = run(argv, capture_output=True, text=True, timeout=_TRIAL_S, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer in {_TRIAL_S:.0f} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]


def _trial(name: str, script: str, purpose: str) -> Observation:
    program = script.split()[0]
    if not packages.there(program):
        return _untried(name, program)
    why = run_trial(script)
    if not why:
        return Observation(name, Level.OK, "works")
    return Observation(name, Level.FAIL, why, f"this kernel lacks it; it is needed for {purpose}")


def _untried(name: str, program: str) -> Observation:
    return Observation(
        name, Level.WARN, f"not tried: {program} is missing", "`rehearse` looks again with the packages"
    )


def _root() -> Observation:
    if os.geteuid() == 0:
        return Observation("root", Level.OK, "yes")
    return Observation(
        "root", Level.FAIL, f"user id {os.geteuid()}", "run it as root: sudo safe-harbor rehearse"
    )


def _packages(wanted: dict[str, str]) -> Observation:
    lacking = packages.missing(wanted)
    if not lacking:
        return Observation("packages", Level.OK, f"all {len(wanted)} are there")
    why, line = f"missing: {', '.join(lacking)}", packages.install_line(lacking)
    if packages.may_install():
        return Observation("packages", Level.WARN, why, f"installed by `rehearse`, or: {line}")
    return Observation("packages", Level.FAIL, why, f"run as root: {line}")


def _tun() -> Observation:
    if Path("/dev/net/tun").exists() and not run_trial("ip tuntap add dev t0 mode tap"):
        return Observation("tun", Level.OK, "works")
    return Observation("tun", Level.WARN, "not usable", "only `rehearse --deep` needs it")


def _inotify(plan: Plan) -> Observation:
    """Every systemd, kubelet and containerd watches files; the kernel counts its watchers per user."""
    if teardown.present(plan):
        return Observation("inotify", Level.OK, "in use by the rehearsal that is up")
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    return _judged_inotify(limit, _inotify_used(), len(plan.containers))


def _judged_inotify(limit: int, used: int, machines: int) -> Observation:
    needed = _INOTIFY_A_NODE * machines
    text = f"{used} of {limit} instances of root are in use"
    if limit - used >= needed:
        return Observation("inotify", Level.OK, text)
    remedy = f"{needed} more are needed: sysctl -w fs.inotify.max_user_instances=512"
    return Observation("inotify", Level.FAIL, text, remedy)


def _inotify_used() -> int:
    used = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked, or is not ours to see
            if folder.stat().st_uid == 0:
                targets = (str(link.readlink()) for link in folder.glob("fd/*"))
                used += sum(target == "anon_inode:inotify" for target in targets)
    return used


def _cgroups() -> Observation:
    if cgroups.version() == 2:
        return Observation("cgroups", Level.OK, "version 2")
    needed = {"cpu", "cpuacct", "memory", "pids", "devices", "freezer"}
    lacking = needed - {name for path in cgroups.hierarchies() for name in path.name.split(",")}
    if lacking:
        what = f"version 1 without {', '.join(sorted(lacking))}"
        return Observation(
            "cgroups", Level.FAIL, what, "mount these hierarchies, or boot with cgroup version 2"
        )
    return Observation("cgroups", Level.OK, "version 1: every node gets a cgroup of its own")


def _limits() -> Observation:
    if host_facts().may_raise_limits:
        return Observation("CAP_SYS_RESOURCE", Level.OK, "held")
    return Observation("CAP_SYS_RESOURCE", Level.OK, "missing: containerd and kube-proxy are told so")


def _merged_usr(root: Path = Path("/")) -> Observation:
    if (root / "bin").is_symlink():
        return Observation("merged /usr", Level.OK, "yes")
    return Observation(
        "merged /usr",
        Level.FAIL,
        "/bin is a folder of its own",
        "apt-get install usrmerge (Debian 12 has it)",
    )


def _go(will_build: bool) -> Observation:
    if not will_build:
        return Observation("Go", Level.OK, "not needed: the parts are built")
    try:
        done = subprocess.run(
            ["go", "version"], capture_output=True, text=True, timeout=_TRIAL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return _judged_go("")
    return _judged_go(done.stdout)


def _judged_go(said: str) -> Observation:
    remedy = "install Go 1.26 or newer (https://go.dev/dl/), or give ready programs: --parts DIR"
    match = re.search(r"go(\d+)\.(\d+)", said)
    if match is None:
        return Observation("Go", Level.FAIL, "not installed", remedy)
    release = (int(match[1]), int(match[2]))
    if release >= (1, 26):
        return Observation("Go", Level.OK, match[0])
    if release >= (1, 21):
        return Observation(
            "Go", Level.WARN, match[0], "it will fetch the release that go.mod names; or " + remedy
        )
    return Observation("Go", Level.FAIL, match[0], remedy)


def _memory(meminfo: str) -> Observation:
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    free_gib = int(match[1]) * 1024 / GIB if match else 0.0
    text = f"{free_gib:.1f} GiB free"
    if free_gib < _MEMORY_GIB / 2:
        return Observation("memory", Level.FAIL, text, f"{_MEMORY_GIB} GiB are wanted")
    if free_gib < _MEMORY_GIB:
        return Observation("memory", Level.WARN, text, f"{_MEMORY_GIB} GiB are wanted; it may be slow")
    return Observation("memory", Level.OK, text)


def _disk(plan: Plan, will_build: bool) -> Observation:
    needed = _DISK_GIB + (_DISK_BUILD_GIB if will_build else 0)
    folder = next(path for path in (plan.state, *plan.state.parents) if path.exists())
    free_gib = shutil.disk_usage(folder).free / GIB
    text = f"{free_gib:.0f} GiB free at {folder}"
    if free_gib < needed:
        return Observation("disk", Level.FAIL, text, f"free {needed} GiB")
    return Observation("disk", Level.OK, text)


def _port_owner(plan: Plan) -> Observation:
    """The site has addresses of its own; only the way to them can be taken."""
    if teardown.present(plan):
        return Observation("addresses", Level.OK, "the site's own")
    if not packages.there("ip"):
        return _untried("addresses", "ip")
    taken = []
    for network in (plan.wan_network, plan.oslo_network):
        done = subprocess.run(
            ["ip", "route", "show", "root", network], capture_output=True, text=True, check=False
        )
        taken += [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if taken:
        return Observation(
            "addresses",
            Level.FAIL,
            f"this machine routes {taken[0]}",
            "the rehearsal needs that network: remove it",
        )
    return Observation("addresses", Level.OK, f"{plan.wan_network} and {plan.oslo_network} are free")


def port(number: int) -> Observation:
    """Only Prefect's server listens on this machine itself; all else has addresses of its own."""
    name = f"port {number}"
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            remedy = (
                "Prefect's server takes another port, which is printed; "
                f"who holds it: ss -ltnp 'sport = :{number}'"
            )
            return Observation(name, Level.WARN, f"127.0.0.1:{number}: {error.strerror}", remedy)
    return Observation(name, Level.OK, "free for Prefect's server")


def _site(plan: Plan) -> Observation:
    if teardown.present(plan):
        return Observation("rehearsal", Level.WARN, "one is up, or was left", "safe-harbor rehearse down")
    return Observation("rehearsal", Level.OK, "none is up")
