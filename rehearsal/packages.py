"""The Debian packages that the rehearsal runs on: which are missing, and how they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from rehearsal import policy
from tasks.drivers.errors import CommandFailed, Denied

# Package -> a program of it. (The edge, the database, the registry, the name server and runc run in the site;
# their daemons are never started on this machine itself.)
PACKAGES = {
    "systemd-container": "systemd-nspawn",
    "openssh-server": "sshd",
    "openssh-client": "ssh-keygen",
    "iproute2": "ip",
    "iptables": "iptables",
    "iputils-ping": "ping",
    "ethtool": "ethtool",
    "nftables": "nft",
    "conntrack": "conntrack",
    "runc": "runc",
    "socat": "socat",
    "sudo": "sudo",
    "curl": "curl",
    "kmod": "modprobe",
    "ca-certificates": "update-ca-certificates",
    "haproxy": "haproxy",
    "nginx": "nginx",  # the tests of recording start one of their own
    "mariadb-server": "mariadbd",
    "mariadb-client": "mariadb-dump",
    "knot": "knotd",
    "knot-dnsutils": "kdig",
    "bird2": "bird",
    "docker-registry": "docker-registry",
    "skopeo": "skopeo",
    "libvirt-clients": "virsh",
    # The tests of provisioning start a libvirtd of their own.
    "libvirt-daemon-system": "libvirtd",
    "libvirt-daemon-driver-qemu": "/usr/share/doc/libvirt-daemon-driver-qemu",
    "qemu-system-x86": "qemu-system-x86_64",
    "qemu-utils": "qemu-img",
    # The tests of LOC-02 ask a TPM of their own.
    "swtpm": "swtpm",
    "tpm2-tools": "tpm2_quote",
}
# Only for a deep rehearsal: machines with kernels of their own, and the disk image that they start from.
DEEP_PACKAGES = {
    "qemu-system-x86": "qemu-system-x86_64",
    "qemu-utils": "qemu-img",
    "libvirt-daemon-system": "/lib/systemd/system/libvirtd.service",
    "libvirt-daemon-driver-qemu": "/usr/share/doc/libvirt-daemon-driver-qemu",
    "debootstrap": "debootstrap",
    "grub-common": "grub-mkimage",
    "grub-pc-bin": "/usr/lib/grub/i386-pc/boot.img",
    "e2fsprogs": "mkfs.ext4",
}
# Only where parts are built here: flanneld has some C.
BUILD_PACKAGES = {"gcc": "gcc", "libc6-dev": "/usr/include/stdlib.h"}
# What these packages would start when this machine boots.
_DAEMONS = {
    **{name: (name,) for name in ("ssh", "haproxy", "nginx", "mariadb", "knot", "docker-registry", "bird")},
    "libvirt-daemon": (
        *("libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket"),
        *("libvirt-guests.service", "virtlogd.socket", "virtlockd.socket"),
    ),
}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def wanted(*, build: bool, deep: bool = False) -> dict[str, str]:
    """The packages of a rehearsal, those to build parts and those of a deep one with them."""
    return PACKAGES | (BUILD_PACKAGES if build else {}) | (DEEP_PACKAGES if deep else {})


def missing(packages: dict[str, str] | None = None) -> tuple[str, ...]:
    """The packages whose program is not on this machine."""
    looked_for = PACKAGES if packages is None else packages
    return tuple(name for name, program in looked_for.items() if not there(program))


def there(program: str) -> bool:
    """Whether a program (by its name) or a file (by its path) is on this machine."""
    return Path(program).exists() if program.startswith("/") else bool(shutil.which(program, path=_PATH))


def may_install() -> bool:
    """Whether `install` can do it: as root, with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_line(names: tuple[str, ...]) -> str:
    """The line that installs these packages."""
    return f"apt-get install --no-install-recommends {' '.join(names)}"


def install(names: tuple[str, ...], say: Callable[[str], None] = lambda _: None) -> None:
    """Install these packages without starting their daemons, now or at the next boot.

    Raises Denied with the line to run where we are not root, CommandFailed with apt's last lines.
    """
    if os.geteuid() == 0:
        policy.remove_left()  # of a run that was killed, which may have installed all that was missing
    if not names:
        return
    if not may_install():
        raise Denied("packages", f"missing: {', '.join(names)}", f"run as root: {install_line(names)}")
    say(f"installing {', '.join(names)}")
    with policy.no_daemons():
        _apt("update", "-q")
        _apt("install", "-q", "-y", "--no-install-recommends", *names)
    installed = [units for part, units in _DAEMONS.items() if any(part in name for name in names)]
    _disable(tuple(unit for units in installed for unit in units))


def _apt(*words: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", *words]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise CommandFailed("apt-get", f"{' '.join(argv)}\n{said}", "install them by hand and run it again")


def _disable(daemons: tuple[str, ...]) -> None:
    if daemons and shutil.which("systemctl"):
        done = subprocess.run(
            ["systemctl", "disable", "--quiet", *daemons], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CommandFailed("systemctl", f"disable {' '.join(daemons)}: {done.stderr.strip()}")
