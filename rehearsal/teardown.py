"""Taking the site down: what the record lists, and whatever else carries its name. Idempotent."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rehearsal import cgroups, netns, node_root, nodes
from rehearsal.plan import Machine, Plan
from rehearsal.state import MARK, State, record_of, start_of
from tasks.drivers.errors import OutsideError

NSPAWN = Path("/run/systemd/nspawn")


def down(plan: Plan, say: Callable[[str], None] = lambda _: None) -> list[str]:
    """Remove the whole site; answers what was removed, in words. Raises OutsideError for what stays."""
    state = State(plan)
    removed = []
    say("stopping the nodes and services")
    removed += [f"process {name}" for name in state.recorded("process")]
    end_processes(plan, state)
    say("removing mounts, networks and cgroups")
    removed += [f"mount {target}" for target in unmount_below(plan.state)]
    removed += _remove_networks(plan, state)
    for machine in plan.containers:
        _forget_machine(machine)
    stuck = cgroups.remove(plan)
    if stuck:
        raise OutsideError("cgroups", f"processes still live in {stuck[0]}", "run the command again")
    if plan.state.exists():
        _remove_folder(plan.state, last=state.file)
        removed.append(f"folder {plan.state}")
    return removed


def end_processes(plan: Plan, state: State) -> None:
    """End every process of the site, nodes first. Raises OutsideError where one does not end."""
    nodes.stop(state, plan.containers)
    _end(_found_processes(plan, state))


def _remove_folder(folder: Path, last: Path) -> None:
    """Remove a folder, the record last: an interrupted removal is still known as one."""
    for path in folder.iterdir():
        if path != last:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    last.unlink(missing_ok=True)
    folder.rmdir()


def remove_nodes(plan: Plan, state: State, machines: Iterable[Machine]) -> None:
    """Remove these nodes alone: their processes, mounts, namespaces and files."""
    machines = tuple(machines)
    nodes.stop(state, machines)
    for machine in machines:
        _end(_netns_processes(machine.netns))
        unmount_below(node_root.folder(plan, machine))
        if netns.exists(machine.netns):
            netns.ip("netns", "del", machine.netns)
        _forget_machine(machine)
        shutil.rmtree(node_root.folder(plan, machine), ignore_errors=True)
        state.forget("process", machine.name)
        state.forget("netns", machine.netns)


def _forget_machine(machine: Machine) -> None:
    """What systemd-nspawn leaves below /run when it is killed itself: empty folders and a lock."""
    for kind in ("propagate", "unix-export"):
        folder = NSPAWN / kind / machine.netns
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()


def unmount_below(top: Path) -> list[str]:
    """Unmount everything at or below a folder, innermost first; answers the targets."""
    gone = []
    for target in reversed(mounts_below(top)):
        done = subprocess.run(["umount", target], capture_output=True, text=True, check=False)
        if done.returncode:
            # Still busy with something that is on its way out: detach it, it goes with its last user.
            subprocess.run(["umount", "--lazy", target], capture_output=True, check=False)
        gone.append(target)
    return gone


def mounts_below(top: Path, mountinfo: str | None = None) -> list[str]:
    """The mount points at or below a folder, outermost first."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    targets = (line.split()[4].replace("\\040", " ") for line in text.splitlines())
    return [target for target in targets if target == str(top) or target.startswith(f"{top}/")]


def present(plan: Plan) -> bool:
    """Whether a site is up or was left: its record is there, or one of its namespaces."""
    if record_of(plan).exists():  # before it is read, which only root may
        return True
    return bool(spaces(plan, State(plan)))


def spaces(plan: Plan, state: State) -> list[str]:
    """The site's network namespaces that are there, by the plan's names and the record."""
    machines = plan.containers
    names = {plan.wan_netns, plan.service_netns, *(machine.netns for machine in machines)}
    return sorted(name for name in names | set(state.recorded("netns")) if netns.exists(name))


def _found_processes(plan: Plan, state: State) -> dict[int, int]:
    """Every process of the site by its id, with its start: recorded, marked, in its namespaces or cgroups."""
    found: dict[int, int] = {}
    for name in state.recorded("process"):
        process = state.process(name)
        if process.pid and process.alive():
            found[process.pid] = process.start
    mark = f"{MARK}={plan.state}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.update(_with_start([int(folder.name)]))
    for space in spaces(plan, state):
        found.update(_netns_processes(space))
    found.update(_with_start(cgroups.processes(plan)))
    found.pop(os.getpid(), None)
    return found


def _netns_processes(name: str) -> dict[int, int]:
    if not netns.exists(name):
        return {}
    return _with_start(map(int, netns.ip("netns", "pids", name).split()))


def _with_start(pids: Iterable[int]) -> dict[int, int]:
    starts = ((pid, start_of(pid)) for pid in pids)
    return {pid: start for pid, start in starts if start is not None}


def _end(processes: dict[int, int], gently_s: float = 4.0) -> None:
    """SIGTERM, and SIGKILL to those that are still there after `gently_s`."""
    for sign, within_s in ((signal.SIGTERM, gently_s), (signal.SIGKILL, 5.0)):
        living = {pid for pid, start in processes.items() if start_of(pid) == start}
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
        end = time.monotonic() + within_s
        while living and time.monotonic() < end:
            time.sleep(0.05)
            living = {pid for pid in living if start_of(pid) == processes[pid]}
        if not living:
            return
    raise OutsideError("processes", f"{sorted(living)} do not end, even when killed", "run the command again")


def _remove_networks(plan: Plan, state: State) -> list[str]:
    removed = []
    for space in spaces(plan, state):
        netns.ip("netns", "del", space)
        removed.append(f"network namespace {space}")
    if (Path("/sys/class/net") / plan.host_interface).exists():
        # Its peer went with the namespace a moment ago; the kernel may be about to remove this end itself.
        done = subprocess.run(["ip", "link", "del", plan.host_interface], capture_output=True, check=False)
        if done.returncode and (Path("/sys/class/net") / plan.host_interface).exists():
            raise OutsideError(plan.host_interface, "cannot be removed", "run the command again")
        removed.append(f"interface {plan.host_interface}")
    return removed
