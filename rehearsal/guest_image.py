"""The guests' disk image: Debian with its own kernel and cloud-init, made once a machine and kept.

`~/.cache/safe-harbor/guests/`, one file a recipe. debootstrap fills a folder, mkfs.ext4 -d makes a file
system of it, and GRUB's two stages are put before it as grub-install would (boot.img in sector 0, core.img
from sector 1: its defaults): neither a loop device nor a mount of the result is needed.
"""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from rehearsal import parts
from rehearsal.parts import Steps
from tasks.drivers.errors import CommandFailed
from tasks.operations.packages import NODE

SUITE = "bookworm"
SECTOR = 512
SIZE_MIB = 1536  # of the file system; cloud-init grows it to the machine's disk
_BOOT_IMAGE = Path("/usr/lib/grub/i386-pc/boot.img")
_START = 2048  # sectors before the file system
_SECONDS = 200
_PACKAGES = (
    *("linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "dbus", "udev", "kmod", "procps"),
    *("openssh-server", "cloud-init", "cloud-guest-utils", "fdisk", "e2fsprogs", "systemd-resolved"),
    *("systemd-timesyncd", "iputils-ping"),
    # What cloud-init needs, and debootstrap does not find by its virtual name.
    "python3-cffi-backend",
    *NODE,
)
# What an emulated machine needs to find its root: a small initramfs saves it many seconds.
_MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")
# No mitigations: by PTI every system call changes the page tables, which an emulated processor pays dearly.
_GRUB = """\
set root=(hd0,msdos1)
linux /vmlinuz root=LABEL=root ro console=ttyS0 quiet mitigations=off
initrd /initrd.img
boot
"""
_GRUB_MODULES = ("biosdisk", "part_msdos", "ext2", "linux", "normal", "configfile", "boot")
_FILES = {
    "etc/initramfs-tools/conf.d/small": "MODULES=list\n",
    "etc/initramfs-tools/modules": "".join(f"{name}\n" for name in _MODULES),
    # Every module that is not needed here costs an emulated machine seconds.
    "etc/cloud/cloud.cfg.d/90-nocloud.cfg": (
        "datasource_list: [NoCloud]\nlocale: false\n"
        "cloud_init_modules: [growpart, resizefs, set_hostname, update_hostname, update_etc_hosts,\n"
        "  users-groups, ssh, set-passwords]\n"
        "cloud_config_modules: []\ncloud_final_modules: [final-message]\n"
    ),
    "etc/fstab": "LABEL=root / ext4 defaults 0 1\n",
    "etc/machine-id": "",  # each machine makes its own, where dbus has none either
}
# $1 the folder, $2 the packages with commas, $3 the suite.
_FILL = """
set -eu
mount --make-rprivate /
debootstrap --variant=minbase --include="$2" "$3" "$1"
"""
# $1 the folder.
_FINISH = """
set -eu
mount --make-rprivate /
mount -t proc proc "$1/proc"
chroot "$1" update-initramfs -u
chroot "$1" systemctl enable systemd-networkd systemd-resolved
chroot "$1" systemctl disable e2scrub_reap
umount "$1/proc"
cd "$1"
rm -rf var/cache/apt/archives/*.deb var/lib/apt/lists/* etc/ssh/ssh_host_* var/lib/dbus/machine-id
"""


def cache() -> Path:
    """Where images are kept."""
    return parts.cache().with_name("guests")


def image(steps: Steps) -> Path:
    """The image (qcow2), made where it is not there yet. Raises CommandFailed."""
    recipe = repr((SUITE, SIZE_MIB, _PACKAGES, _MODULES, _GRUB, _GRUB_MODULES, _FILES, _FILL, _FINISH))
    made = cache() / f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.qcow2"
    if made.exists():
        return made
    made.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=".guest-") as scratch:
        _make(Path(scratch), made, steps)
    return made


def _make(scratch: Path, made: Path, steps: Steps) -> None:
    text = f"making the guests' disk image (the first time only, about {_SECONDS // 60 + 1} min)"
    root, part, core, disk = (scratch / name for name in ("root", "part", "core", "disk"))
    # In namespaces of their own: what they mount goes with them.
    own = ("unshare", "--mount", "--pid", "--fork", "sh", "-c")
    _run([*own, _FILL, "sh", str(root), ",".join(_PACKAGES), SUITE], text, steps)
    for name, content in _FILES.items():
        (root / name).write_text(content)
    _run([*own, _FINISH, "sh", str(root)], text, steps)
    part.touch()
    _run(["truncate", "--size", f"{SIZE_MIB}M", str(part)], text, steps)
    _run(["mkfs.ext4", "-q", "-L", "root", "-d", str(root), str(part)], text, steps)
    (scratch / "grub.cfg").write_text(_GRUB)
    grub = ["grub-mkimage", "-O", "i386-pc", "-o", str(core), "-c", str(scratch / "grub.cfg")]
    _run([*grub, "-p", "(hd0,msdos1)/boot/grub", *_GRUB_MODULES], text, steps)
    _put_together(part, core.read_bytes(), disk)
    fresh = scratch / "image.qcow2"
    _run(["qemu-img", "convert", "-c", "-O", "qcow2", str(disk), str(fresh)], text, steps)
    fresh.replace(made)


def _put_together(part: Path, core: bytes, disk: Path) -> None:
    """Boot sector with a table of one partition, GRUB's core, the file system."""
    if len(core) > (_START - 1) * SECTOR:
        raise CommandFailed("grub-mkimage", f"the core image of {len(core)} bytes does not fit its gap")
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", _START, SIZE_MIB * 2048)
    boot = _BOOT_IMAGE.read_bytes()[:440].ljust(446, b"\0") + entry.ljust(64, b"\0") + b"\x55\xaa"
    with disk.open("wb") as out, part.open("rb") as content:
        out.write(boot + core)
        out.seek(_START * SECTOR)
        while block := content.read(1 << 20):
            # A hole stays a hole.
            out.seek(len(block), os.SEEK_CUR) if not any(block) else out.write(block)
        out.truncate(_START * SECTOR + (SIZE_MIB << 20))


def _run(argv: list[str], text: str, steps: Steps) -> None:
    """Raises CommandFailed with the last lines that the program said."""
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
        try:
            while child.poll() is None:
                steps.step(text)
                time.sleep(0.2)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
        if child.returncode:
            output.seek(0)
            said = "".join(output.readlines()[-15:]).rstrip()
            raise CommandFailed(argv[0], f"ended with {child.returncode}\n{said}", "see above; run it again")
