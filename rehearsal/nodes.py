"""Nodes: systemd-nspawn machines with a real systemd and sshd, in namespaces and cgroups of their own.

A node is a container: the admission check that wants KVM refuses it, rightly. Its shared kernel is the one
thing that the rehearsal does not rehearse.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rehearsal import cgroups, netns, node_root
from rehearsal.plan import Machine, Plan
from rehearsal.state import Running, State
from tasks.drivers.errors import CommandFailed, HostUnreachable

READY_S = 30.0
_BOOTED = ("--boot",)
_LIGHT = ("--as-pid2", "--", "sh", "-c", "mkdir -p /run/sshd; exec /usr/sbin/sshd -D -e")
Furnish = Callable[[Machine, Path], None]


def make_keys(plan: Plan, machines: Iterable[Machine]) -> None:
    """The key that every node accepts and these nodes' host keys, pinned in known_hosts; kept if there."""
    plan.secrets.mkdir(parents=True, exist_ok=True)
    plan.site.chmod(0o700)
    plan.secrets.chmod(0o700)
    (plan.state / "nodes").mkdir(exist_ok=True)
    pinned = []
    if not plan.ssh_key.exists():
        _generate(plan.ssh_key, "rehearsal")
    for machine in machines:
        key = plan.state / "nodes" / f"{machine.name}.hostkey"
        if not key.exists():
            _generate(key, machine.name)
        words = key.with_suffix(".hostkey.pub").read_text().split()
        pinned.append(f"{machine.name},{machine.address} {words[0]} {words[1]}\n")
    plan.known_hosts.write_text("".join(pinned))


def host_key(plan: Plan, machine: Machine) -> str:
    """A node's public host key, as a site file writes it (`ssh-ed25519 AAAA...`)."""
    words = (plan.state / "nodes" / f"{machine.name}.hostkey.pub").read_text().split()
    return f"{words[0]} {words[1]}"


def boot(
    plan: Plan,
    state: State,
    machines: Sequence[Machine],
    *,
    binds: Mapping[Path, str] | None = None,
    furnish: Furnish | None = None,
    devices: Sequence[Path] = (),
    wait: bool = True,
    light: bool = False,
) -> None:
    """Boot these nodes side by side; each is ready when its sshd greets.

    `binds` are bound read-only into them, `devices` as they are; `furnish` lays files into a root before its
    boot. A `light` node has no systemd and no inotify instance: nothing but sshd, and twenty of them beside
    each other.
    Raises HostUnreachable with the end of the node's
    console where one does not come up.
    """
    init = _LIGHT if light else _BOOTED
    with ThreadPoolExecutor(max_workers=len(machines)) as pool:
        for future in [
            pool.submit(_start, plan, state, machine, binds or {}, devices, furnish, init)
            for machine in machines
        ]:
            future.result()
    if wait:
        await_ready(state, machines)


def await_ready(state: State, machines: Sequence[Machine]) -> None:
    """Wait until the sshd of every one of these nodes greets."""
    end = time.monotonic() + READY_S
    for machine in machines:
        while not _greets(state.plan, machine):
            name = machine.name
            if not state.process(name).alive() or time.monotonic() > end:
                raise HostUnreachable(name, f"its sshd does not answer\n{state.log_tail(name)}")
            time.sleep(0.05)


def running(state: State, machines: Iterable[Machine]) -> bool:
    """Whether any of these nodes runs."""
    recorded = state.recorded("process")
    return any(state.process(each.name).alive() for each in machines if each.name in recorded)


def leader(node: Running) -> int:
    """The process id, on this machine, of a node's init. Raises HostUnreachable where it does not run."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()
        for child in map(int, children):
            if Path(f"/proc/{child}/exe").readlink().name == "systemd" or _is_stub(child):
                return child
    raise HostUnreachable(node.name, "its init does not run")


def _is_stub(process: int) -> bool:
    """Whether it is the first process of a light node, in which systemd-nspawn itself plays the init."""
    status = Path(f"/proc/{process}/status").read_text()
    return status.startswith(("Name:\t(sd-stubinit)", "Name:\t(sd-stub)"))


def stop(state: State, machines: Iterable[Machine], within_s: float = 5.0) -> None:
    """Pull the plug of these nodes: nothing in them outlives the site, and an orderly end takes 8 s.

    The init is killed, not its supervisor: with it the kernel ends every process of the node, and
    systemd-nspawn tidies up behind it. A supervisor that stays is killed as well.
    """
    recorded = state.recorded("process")
    supervisors = [state.process(machine.name) for machine in machines if machine.name in recorded]
    for node in supervisors:
        with contextlib.suppress(ProcessLookupError, HostUnreachable):
            os.kill(leader(node), signal.SIGKILL)
    end = time.monotonic() + within_s
    for node in supervisors:
        while node.alive() and time.monotonic() < end:
            time.sleep(0.02)
        if node.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(node.pid, signal.SIGKILL)


def _start(
    plan: Plan,
    state: State,
    machine: Machine,
    binds: Mapping[Path, str],
    devices: Sequence[Path],
    furnish: Furnish | None,
    init: tuple[str, ...],
) -> None:
    if machine.name in state.recorded("process") and state.process(machine.name).alive():
        return
    netns.raise_machine(plan, state, machine)
    root = node_root.make(plan, state, machine)
    if furnish is not None:
        furnish(machine, root)
    argv: list[str | Path] = [
        *("systemd-nspawn", "--quiet", "--directory", root, "--machine", machine.netns),
        f"--hostname={machine.name}",
        *("--register=no", "--keep-unit", f"--network-namespace-path={netns.NAMED / machine.netns}"),
        # runc makes a session keyring for every container and kubelet's cgroup v2 code loads BPF programs.
        *("--capability=all", "--system-call-filter=@keyring bpf"),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"),
    ]
    argv += [f"--bind-ro={here}:{inside}" for here, inside in binds.items()]
    argv += [f"--bind={device}" for device in devices]
    argv += init
    state.run_process(
        machine.name,
        argv,
        # Without it net.* sysctls and VXLAN devices are refused inside.
        env={"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
        cgroups=cgroups.make(state, machine.netns),
    )


def _greets(plan: Plan, machine: Machine) -> bool:
    if machine in plan.aws_nodes:
        return _greets_inside(machine)
    try:
        with socket.create_connection((machine.address, 22), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _greets_inside(machine: Machine) -> bool:
    # No route leads from this machine to the AWS side: look from the node's own namespace.
    argv = ["ip", "netns", "exec", machine.netns, "ss", "-Hltn", "sport = :22"]
    return ":22" in subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def _generate(file: Path, comment: str) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed("ssh-keygen", done.stderr.strip())
