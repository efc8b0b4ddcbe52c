"""Facts of a cluster from what real nodes of three control planes answered (tests/data/facts)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from inventory.kubernetes_version import Version
from tasks.facts import (
    api_ready,
    certificates,
    containerd_config,
    control_plane,
    etcd,
    host_basics,
    kubelet_config,
    program_versions,
    reach,
)

DATA = Path(__file__).parents[1] / "data" / "facts"


def recorded(name: str) -> str:
    return (DATA / f"{name}.nspawn.txt").read_text()


def test_api_servers() -> None:
    found = api_ready.parse(recorded("api_ready"))
    assert [found["127.0.0.1:16443"], found["10.63.0.11:6443"]] == ["ok", "ok"]
    assert "no route to host" in found["10.63.0.99:6443"]


def test_certificates() -> None:
    found = {each.path: each for each in certificates.parse(recorded("certificates"))}
    assert len(found) == 18
    assert {path for path, each in found.items() if each.is_authority} == {
        "/etc/kubernetes/pki/ca.crt",
        "/etc/kubernetes/pki/front-proxy-ca.crt",
        "/etc/kubernetes/pki/etcd/ca.crt",
        "/etc/etcd/pki/ca.crt",
        "/etc/safe-harbor/pki/etcd-ca.crt",
    }
    assert found["/etc/kubernetes/admin.conf"].name == "CN=kubernetes-admin,O=kubeadm:cluster-admins"
    assert found["/var/lib/kubelet/pki/kubelet.crt"].not_after > datetime(2027, 1, 1, tzinfo=UTC)
    assert "PRIVATE" not in recorded("certificates")


def test_a_broken_certificate_names_its_file() -> None:
    with pytest.raises(ValueError, match=r"pki/ca\.crt: "):
        certificates.parse("@@ /etc/kubernetes/pki/ca.crt\nrubbish\n")
    assert certificates.parse("@@ /etc/kubernetes/token.conf\n") == ()


def test_the_drivers() -> None:
    assert containerd_config.parse(recorded("containerd_config")) == "cgroupfs"
    with pytest.raises(ValueError, match="no runtime runc"):
        containerd_config.parse("version = 3\n")
    kubelet = kubelet_config.parse(recorded("kubelet_config"))
    assert kubelet.cgroup_driver == "cgroupfs"
    assert kubelet.system_reserved == {"cpu": "80m", "memory": "1816Mi"}


def test_versions() -> None:
    old = Version(1, 36, 9)
    assert control_plane.parse(recorded("control_plane")) == old
    assert control_plane.parse("") is None
    assert program_versions.parse(recorded("program_versions")) == {"kubectl": old, "kube-proxy": old}
    with pytest.raises(ValueError, match="tells no version"):
        program_versions.parse("kubectl error\n")


def test_half_an_upgrade_counts_as_the_older_version() -> None:
    text = recorded("control_plane").replace("scheduler:v1.36.9", "scheduler:v1.37.1")
    assert control_plane.parse(text) == Version(1, 36, 9)


def test_members() -> None:
    found = etcd.parse_members(recorded("etcd_members"))
    assert [each.version for each in found] == ["3.7.3"] * 3
    assert sum(each.is_leader for each in found) == 1
    assert found[0].quota_bytes == 2 << 30
    assert etcd.parse_members("") == ()


def test_the_basics_of_a_host() -> None:
    found = host_basics.parse(recorded("host_basics"))
    assert (found.init, found.hostname, found.resolved) == ("systemd", "p-oslo-1", ("10.63.0.11",))
    assert {"cpu", "cpuset", "memory", "pids"} <= found.controllers
    assert found.programs == {"ip", "mount", "nsenter", "iptables", "apt-get"}


def test_who_answers() -> None:
    assert reach.parse(recorded("reach")) == {"10.63.0.12": True, "10.63.0.99": False}


def test_a_snapshots_status() -> None:
    said = '{"hash":2722535644,"revision":21,"totalKey":20,"totalSize":20480,"version":"3.7.0"}'
    assert etcd.parse_snapshot(said) == etcd.Snapshot(21, 20, 20480)
