"""Which of a host's mounts are kept by another machine, and by which: read out of its table of mounts. Pure.

The forms of a source are those of mount.nfs(8), mount.cifs(8), mount.ceph(8), mount.glusterfs(8), sshfs(1)
and mount.lustre(8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tasks.facts.mounts import Mount

# File systems of programs that keep their files at one company alone, and a host of its that they ask.
CLOUDS = {
    "fuse.gcsfuse": "storage.googleapis.com",
    "fuse.blobfuse": "blob.core.windows.net",
    "fuse.blobfuse2": "blob.core.windows.net",
    "mountpoint-s3": "s3.amazonaws.com",
}
HYPERVISOR = ("9p", "virtiofs")
# These name a server that the table of mounts does not show.
_UNSHOWN = ("afs", "beegfs", "coda", "davfs", "gpfs", "orangefs", "pvfs2")
_LOCAL_PROGRAMS = (
    "fuse.fuse-overlayfs",
    "fuse.gvfsd-fuse",
    "fuse.lxcfs",
    "fuse.portal",
    "fuse.snapfuse",
    "fuse.squashfuse",
)


@dataclass(frozen=True)
class Remote:
    """A mount; `servers` as it names them, none where it does not, and the `address` that the kernel asks."""

    path: str
    kind: str
    servers: tuple[str, ...]
    address: str = ""


def remote(mounts: Iterable[Mount]) -> tuple[Remote, ...]:
    """Those that another machine keeps, or may keep, by path."""
    found = (_remote(each) for each in mounts)
    return tuple(sorted((each for each in found if each is not None), key=lambda each: each.path))


def _remote(mount: Mount) -> Remote | None:
    source, kind = mount.source, mount.kind
    options = dict(each.partition("=")[::2] for each in mount.options)
    address = options.get("addr", "")
    if kind in ("nfs", "nfs4"):
        return Remote(mount.path, kind, (_host(source.rpartition(":/")[0]),), address)
    if kind in ("cifs", "smb3"):
        return Remote(mount.path, kind, (source.strip("/").partition("/")[0],), address)
    if kind == "ceph":
        named = (
            options.get("mon_addr", "").split("/") if "=" in source else source.rpartition(":/")[0].split(",")
        )
        return Remote(mount.path, kind, tuple(_host(each) for each in named if each))
    if kind == "lustre":
        named = source.rpartition(":/")[0].replace(",", ":").split(":")
        return Remote(mount.path, kind, tuple(each.partition("@")[0] for each in named if each))
    if kind in ("fuse.glusterfs", "fuse.sshfs"):
        return Remote(mount.path, kind, (_host(source.rpartition("@")[2].partition(":")[0]),))
    for cloud in (kind, source):
        if cloud in CLOUDS:
            return Remote(mount.path, cloud, (CLOUDS[cloud],))
    if kind in _UNSHOWN or kind in HYPERVISOR:
        return Remote(mount.path, kind, ())
    if (kind == "fuse" or kind.startswith("fuse.")) and kind not in _LOCAL_PROGRAMS:
        return Remote(mount.path, kind, ())
    return None


def _host(place: str) -> str:
    """The host of HOST, HOST:PORT or [IPv6]:PORT."""
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0] if place.count(":") == 1 else place
