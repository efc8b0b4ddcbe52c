"""A real libvirtd in namespaces and folders of its own; this machine's network and state are not touched."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.drivers.libvirt import LibvirtHost

# $1 the folder. The first process reaps what libvirtd leaves; /dev/kvm can be there and hang.
_RUN = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm
for each in /etc/libvirt /var/lib/libvirt /var/cache/libvirt; do
  mkdir -p "$1$each"
  mount --bind "$1$each" "$each"
done
printf 'user = "root"\\ngroup = "root"\\nsecurity_driver = "none"\\n' > /etc/libvirt/qemu.conf
printf 'cgroup_controllers = []\\nnamespaces = []\\nremember_owner = 0\\n' >> /etc/libvirt/qemu.conf
printf 'unix_sock_dir = "%s/sock"\\n' "$1" > /etc/libvirt/libvirtd.conf
ip link set lo up
ip link add br0 type bridge
virtlogd -d
libvirtd -f /etc/libvirt/libvirtd.conf
"""


class Near(LibvirtHost):
    """The driver on a socket of this machine instead of SSH."""

    socket: Path

    def _environment(self) -> dict[str, str]:
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        uri = f"qemu:///system?socket={self.socket}/libvirt-sock"
        return {"PATH": path, "LC_ALL": "C.UTF-8", "LIBVIRT_DEFAULT_URI": uri}


@contextmanager
def running(folder: Path) -> Iterator[Path]:
    """The folder of its sockets."""
    sockets = folder / "sock"
    sockets.mkdir(parents=True)
    own = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", _RUN, "sh"]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen([*own, str(folder)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not (sockets / "libvirt-sock").exists():
            assert child.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield sockets
    finally:
        child.kill()  # and with it everything in its namespaces
        child.wait(timeout=10)
