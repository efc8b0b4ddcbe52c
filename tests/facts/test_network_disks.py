"""Mounts and disks that other machines keep, in the forms that the kernel writes them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tasks.facts import mounts, network_disks
from tasks.facts.network_disks import Disks, Served
from tasks.facts.remote_mounts import Remote, remote

DATA = Path(__file__).parents[1] / "data" / "facts"


def test_a_recorded_nodes_mounts_are_its_own() -> None:
    assert remote(mounts.parse((DATA / "mounts.nspawn.txt").read_text()).values()) == ()


@pytest.mark.parametrize(
    ("source", "kind", "options", "servers", "address"),
    [
        ("nas.example:/srv", "nfs4", "rw,addr=203.0.113.7", ("nas.example",), "203.0.113.7"),
        ("[2001:db8::7]:/srv", "nfs4", "rw", ("2001:db8::7",), ""),
        ("//nas.example/share", "cifs", "rw,addr=10.60.0.12", ("nas.example",), "10.60.0.12"),
        ("10.60.0.11:6789,10.60.0.12:6789:/", "ceph", "rw", ("10.60.0.11", "10.60.0.12"), ""),
        ("u@f.fs=/", "ceph", "rw,mon_addr=10.60.0.11:6789/10.60.0.12:6789", ("10.60.0.11", "10.60.0.12"), ""),
        ("10.60.0.11@tcp:10.60.0.12@tcp:/fs", "lustre", "rw", ("10.60.0.11", "10.60.0.12"), ""),
        ("vault.example:/vol", "fuse.glusterfs", "rw", ("vault.example",), ""),
        ("kari@vault.example:/srv", "fuse.sshfs", "rw", ("vault.example",), ""),
        ("shop", "fuse.gcsfuse", "rw", ("storage.googleapis.com",), ""),
        ("s3fs", "fuse.s3fs", "rw", (), ""),
        ("far:shop", "fuse.rclone", "rw", (), ""),
        ("share", "virtiofs", "rw", (), ""),
    ],
)
def test_a_remote_mount(source: str, kind: str, options: str, servers: tuple[str, ...], address: str) -> None:
    (found,) = remote(mounts.parse(f"{source} /mnt {kind} {options} 0 0\n").values())
    assert found == Remote("/mnt", kind, servers, address)


@pytest.mark.parametrize("kind", ["ext4", "tmpfs", "overlay", "fusectl", "fuseblk", "fuse.lxcfs", "autofs"])
def test_a_mount_of_the_hosts_own(kind: str) -> None:
    assert remote(mounts.parse(f"x /mnt {kind} rw 0 0\n").values()) == ()


def test_mountpoint_for_s3_is_known_by_its_source() -> None:
    (found,) = remote(mounts.parse("mountpoint-s3 /mnt fuse rw 0 0\n").values())
    assert found == Remote("/mnt", "mountpoint-s3", ("s3.amazonaws.com",))


def test_disks_and_who_serves_them() -> None:
    text = (
        "seen\ndisk\tvda\ndisk\tnvme0n1\nserved\tnbd\tnbd0\t\n"
        "served\tiscsi\tconnection1:0\t10.60.0.12\n"
        "served\tnvme-tcp\tnvme1\ttraddr=203.0.113.7,trsvcid=4420,src_addr=10.60.0.11\n"
        "served\trbd\trbd0\t10.60.0.12:6789,10.60.0.13:6789\n"
        "served\trbd\trbd1\t[v2:10.60.0.12:3300/0,v1:10.60.0.12:6789/0]\n"
    )
    assert network_disks.parse(text) == Disks(
        ("nvme0n1", "vda"),
        (
            Served("iscsi", "connection1:0", ("10.60.0.12",)),
            Served("nbd", "nbd0", ()),
            Served("nvme-tcp", "nvme1", ("203.0.113.7",)),
            Served("rbd", "rbd0", ("10.60.0.12", "10.60.0.13")),
            Served("rbd", "rbd1", ("10.60.0.12",)),
        ),
    )


@pytest.mark.parametrize("text", ["", "disk\tvda\n", "seen\nwhat\n", "seen\nserved\tnbd\n"])
def test_what_is_no_list_of_disks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        network_disks.parse(text)


def test_the_question_runs_on_a_real_shell() -> None:
    argv = ["sh", "-c", network_disks.command().render()]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    assert network_disks.parse(ran.stdout).local
