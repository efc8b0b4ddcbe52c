"""The parts of a deep rehearsal that need no machine: its disk's layout, its plan, its site file."""

from __future__ import annotations

import struct
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inventory.models.verdict import Verdict
from rehearsal import deep, guest_image, kvm_host
from rehearsal.plan import Plan
from tasks.drivers.errors import CommandFailed
from tests.networks.cluster import MemoryKube


def test_the_disk_has_a_boot_sector_a_table_grubs_core_and_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest_image, "_BOOT_IMAGE", tmp_path / "boot.img")
    monkeypatch.setattr(guest_image, "SIZE_MIB", 3)
    (tmp_path / "boot.img").write_bytes(b"B" * 512)
    content = b"x" * (1 << 20) + bytes(1 << 20) + b"y" * (1 << 20)
    (tmp_path / "part").write_bytes(content)
    guest_image._put_together(tmp_path / "part", b"C" * 2000, tmp_path / "disk")
    disk = (tmp_path / "disk").read_bytes()
    assert disk[:440] == b"B" * 440
    assert disk[510:512] == b"\x55\xaa"
    active, kind, start, sectors = struct.unpack("<B3xB3xII", disk[446:462])
    assert (active, kind, start, sectors) == (0x80, 0x83, 2048, 3 * 2048)
    assert disk[462:510] == bytes(48)
    assert disk[512:2512] == b"C" * 2000
    assert disk[2048 * 512 :] == content
    assert (tmp_path / "disk").stat().st_blocks * 512 < 3 << 20, "a hole stays a hole"


def test_a_core_that_does_not_fit_its_gap_is_refused(tmp_path: Path) -> None:
    (tmp_path / "part").touch()
    with pytest.raises(CommandFailed, match="does not fit"):
        guest_image._put_together(tmp_path / "part", bytes(1 << 20), tmp_path / "disk")


@pytest.mark.parametrize(
    ("code", "found"), [(33, "kvm"), (0, "qemu"), (1, "qemu"), (None, "qemu"), ("hang", "qemu")]
)
def test_kvm_is_what_a_machine_has_really_run_by(
    code: int | str | None, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(argv: list[str], **more: object) -> subprocess.CompletedProcess[bytes]:
        if code == "hang":
            raise subprocess.TimeoutExpired(argv, 10)
        assert isinstance(code, int)
        return subprocess.CompletedProcess(argv, code)

    device = tmp_path / "kvm"
    if code is not None:
        device.touch()
    monkeypatch.setattr(kvm_host, "_KVM", device)
    monkeypatch.setattr(subprocess, "run", run)
    kvm_host.accelerator.cache_clear()
    try:
        assert kvm_host.accelerator() == found
    finally:
        kvm_host.accelerator.cache_clear()


def test_only_the_kvm_hosts_are_containers() -> None:
    plan = deep.plan()
    assert plan.containers == deep.KVM_HOSTS
    assert Plan().containers == (*Plan().aws_nodes, *Plan().oslo_nodes)


@pytest.mark.parametrize(("status", "verdict"), [("True", Verdict.PASS), ("False", Verdict.FAIL)])
def test_a_node_is_ready_when_the_api_server_saw_it(status: str, verdict: Verdict) -> None:
    ready = {"type": "Ready", "status": status, "lastTransitionTime": "2026-11-30T10:01:30Z"}
    node = {"kind": "Node", "metadata": {"name": "oslo-1"}, "status": {"conditions": [ready]}}
    result = deep.became_ready(MemoryKube().put(node), datetime(2026, 11, 30, 10, tzinfo=UTC))
    assert result.verdict is verdict
    assert result.figures == {"ready_after_s": {"oslo-1": 90.0}}
