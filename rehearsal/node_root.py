"""The file tree of a node: this machine's programs, and nothing of its data.

A node's root is a plain folder. Over it lie overlays of this machine's /usr and /etc (and of the package
database), so that a node has Debian's programs without a copy; /root, /home, /var, /srv and /opt are the
node's own and empty. Nothing in a node can change a file of this machine.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from rehearsal.plan import Machine, Plan
from rehearsal.state import State
from tasks.drivers.errors import CommandFailed

# Overlaid folders: path in the node (and here).
_OVERLAYS = ("usr", "etc", "var/lib/dpkg")
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_PLAIN = (
    *("boot", "dev", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp"),
    *("var/cache", "var/lib/containerd", "var/log", "var/mail", "var/spool", "var/tmp", "var/local"),
)
# What this machine's owner keeps in /etc that is none of a node's business, or would start things there.
_LEFT_OUT = (
    *(
        "systemd/system",
        "systemd/network",
        "fstab",
        "crypttab",
        "shadow-",
        "gshadow-",
        "cron.d",
        "cron.daily",
    ),
    *("ssh", "ssl/private", "sudoers.d", "mysql/debian.cnf", "letsencrypt", "NetworkManager", "wireguard"),
    *("cni", "kubernetes", "containerd", "profile.d", "modules-load.d", "sysctl.d", "environment"),
)

_SSHD = """\
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
"""

# Nobody sits at a node's console. Each would hold inotify instances, of which a machine has 128 for root and
# six nodes with Kubernetes take about 110.
_MASKED = ("systemd-logind.service", "systemd-ask-password-console.path", "systemd-ask-password-wall.path")

# The six tunables that kubelet insists on. Writing the real ones would change this machine's kernel for all,
# so a node sees a file of its own over each.
_KUBELET_TUNABLES = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}

_NODE_UNIT = """\
[Unit]
Description=What makes this container look like a machine to Kubernetes
DefaultDependencies=no
Before=ssh.service
After=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/rehearsal-node

[Install]
WantedBy=multi-user.target
"""

# kubelet and runc want: shared mounts, /dev/kmsg, writable cgroup v1 hierarchies, the tunables above.
_NODE_SCRIPT = """\
#!/bin/sh -e
mount --make-rshared /
[ -e /dev/kmsg ] || ln -s /dev/null /dev/kmsg
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -o remount,rw /sys/fs/cgroup
  for c in /sys/fs/cgroup/*; do
    [ -L "$c" ] || ! mountpoint -q "$c" || mount -o remount,rw,bind "$c"
  done
fi
cd /etc/rehearsal-tunables
find . -type f | while read -r f; do
  [ ! -e "/proc/sys/$f" ] || mount --bind "$f" "/proc/sys/$f"
done
"""


def folder(plan: Plan, machine: Machine) -> Path:
    """The folder of a node: its root and what lies over it."""
    return plan.state / "nodes" / machine.name


def make(plan: Plan, state: State, machine: Machine) -> Path:
    """Lay out and mount a node's tree; answers its root. Raises CommandFailed where a mount is refused."""
    top = folder(plan, machine)
    root = top / "root"
    for name in _PLAIN:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    (root / "root").chmod(0o700)
    for name in _MERGED:
        here = Path("/") / name
        if here.is_symlink() and not (root / name).is_symlink():
            (root / name).symlink_to(here.readlink())
    for name, target in (("run", "/run"), ("lock", "/run/lock")):
        if not (root / "var" / name).is_symlink():
            (root / "var" / name).symlink_to(target)
    for name in _OVERLAYS:
        _overlay(state, top, name)
    _own_etc(plan, machine, root)
    return root


def _overlay(state: State, top: Path, name: str) -> None:
    target = top / "root" / name
    upper, work = top / "upper" / name, top / "work" / name
    for path in (target, upper, work):
        path.mkdir(parents=True, exist_ok=True)
    if target.is_mount():
        return
    state.record("mount", str(target))
    argv = ["mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/{name},upperdir={upper},workdir={work}"]
    done = subprocess.run([*argv, str(target)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed(top.name, f"overlay of /{name}: {done.stderr.strip()}")


def _own_etc(plan: Plan, machine: Machine, root: Path) -> None:
    etc = root / "etc"
    if not etc.is_mount():
        raise CommandFailed(machine.name, f"{etc} is not mounted")
    for name in _LEFT_OUT:
        path = etc / name
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
    wants = etc / "systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    for path in (etc / "profile.d", etc / "ssl/private", etc / "sysctl.d", etc / "modules-load.d"):
        path.mkdir(parents=True)
    (etc / "systemd/system/rehearsal-node.service").write_text(_NODE_UNIT)
    (wants / "rehearsal-node.service").symlink_to("/etc/systemd/system/rehearsal-node.service")
    (wants / "ssh.service").symlink_to("/lib/systemd/system/ssh.service")
    for name in _MASKED:
        (etc / "systemd/system" / name).symlink_to("/dev/null")
    script = root / "usr/local/sbin/rehearsal-node"
    script.write_text(_NODE_SCRIPT)
    script.chmod(0o755)
    for key, value in _KUBELET_TUNABLES.items():
        tunable = etc / "rehearsal-tunables" / key
        tunable.parent.mkdir(parents=True, exist_ok=True)
        tunable.write_text(f"{value}\n")
    _own_identity(plan, machine, etc)
    _own_logins(plan, machine, root)


def _own_identity(plan: Plan, machine: Machine, etc: Path) -> None:
    texts = {
        "hostname": f"{machine.name}\n",
        "hosts": f"127.0.0.1 localhost\n{machine.address} {machine.name}\n",
        "resolv.conf": f"nameserver {plan.dns_address}\n",
        "machine-id": f"{machine.name.encode().hex():0<32}"[:32] + "\n",
    }
    for name, text in texts.items():
        (etc / name).unlink(missing_ok=True)
        (etc / name).write_text(text)


def _own_logins(plan: Plan, machine: Machine, root: Path) -> None:
    etc = root / "etc"
    for name in ("shadow", "gshadow"):
        entries = (line.split(":") for line in (etc / name).read_text().splitlines() if line)
        locked = "".join(":".join([entry[0], "*", *entry[2:]]) + "\n" for entry in entries)
        (etc / name).write_text(locked)
    ssh = etc / "ssh"
    ssh.mkdir()
    (ssh / "sshd_config").write_text(_SSHD)
    for suffix in ("", ".pub"):
        key = ssh / f"ssh_host_ed25519_key{suffix}"
        key.write_bytes((plan.state / "nodes" / f"{machine.name}.hostkey{suffix}").read_bytes())
        key.chmod(0o600)
    authorized = root / "root/.ssh/authorized_keys"
    authorized.parent.mkdir(mode=0o700, exist_ok=True)
    authorized.write_bytes(plan.ssh_key.with_suffix(".pub").read_bytes())
    authorized.chmod(0o600)
