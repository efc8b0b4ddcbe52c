"""Every fact's parse against what real programs printed on a node (a systemd-nspawn one, cgroup v1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.facts import (
    capabilities,
    cgroup,
    clock,
    cpu,
    files,
    images,
    interfaces,
    machine_id,
    memory,
    modules,
    mounts,
    os_release,
    packages,
    ports,
    sysctl,
    units,
    virtualization,
)

DATA = Path(__file__).parents[1] / "data" / "facts"


def recorded(name: str) -> str:
    return (DATA / f"{name}.nspawn.txt").read_text()


def test_sysctl() -> None:
    found = sysctl.parse(recorded("sysctl"))
    assert found["net.ipv4.ip_forward"] == sysctl.Setting("net.ipv4.ip_forward", "1", True)
    assert found["net.ipv4.ip_local_port_range"].value == "32768 60999"
    assert not found["net.netfilter.nf_conntrack_max"].writable
    assert found["net.ipv4.neigh.default.gc_thresh1"] == sysctl.Setting(
        "net.ipv4.neigh.default.gc_thresh1", None, False
    )
    assert found["net.ipv4.neigh.default.gc_thresh1"].number is None


@pytest.mark.parametrize("line", ["net.x\trw", "net.x\tperhaps\t1", "net.x"])
def test_sysctl_refuses_what_it_does_not_know(line: str) -> None:
    with pytest.raises(ValueError, match=r"not a setting|not enough values"):
        sysctl.parse(line)


def test_modules() -> None:
    found = modules.parse(recorded("modules"))
    assert found["vxlan"] is modules.State.PRESENT
    assert found["ip_vs"] is modules.State.MISSING
    with pytest.raises(ValueError, match="maybe"):
        modules.parse("vxlan\tmaybe\n")


def test_files() -> None:
    found = files.parse(recorded("files"))
    assert found["/etc/hostname"].mode == 0o644
    assert len(found["/etc/hostname"].sha256) == 64
    assert found["/etc/mtab"].link == "../proc/self/mounts"
    assert found["/etc"].exists
    assert not found["/etc"].sha256
    assert not found["/nowhere"].exists
    assert found["/root/.ssh/authorized_keys"].mode == 0o600
    with pytest.raises(ValueError, match="no SHA-256 of /x"):
        files.parse("/x\tfile\tabc\t644\n")


def test_units() -> None:
    found = units.parse(recorded("units"))
    assert found["ssh.service"].running
    assert found["ssh.service"].enabled == "enabled"
    assert found["nothing.service"].load == "not-found"
    assert not found["nothing.service"].running
    with pytest.raises(KeyError):
        units.parse("LoadState=loaded\n")


def test_packages() -> None:
    found = packages.parse(recorded("packages"))
    assert "runc" in found
    assert "no-such-package" not in found
    assert packages.parse("runc\tconfig-files\t1.1.5\n") == {}


def test_capabilities() -> None:
    found = capabilities.parse(recorded("capabilities"))
    assert capabilities.CAP_SYS_ADMIN in found
    assert capabilities.CAP_SYS_RESOURCE not in found
    assert capabilities.parse("CapBnd:\t000001ffffffffff\n") == frozenset(range(41))
    with pytest.raises(ValueError, match="no bounding set"):
        capabilities.parse("")


def test_cgroup() -> None:
    assert cgroup.parse(recorded("cgroup")) == 1
    assert cgroup.parse("cgroup2fs\n") == 2
    with pytest.raises(ValueError, match="is a 'ext2/ext3'"):
        cgroup.parse("ext2/ext3\n")


def test_memory() -> None:
    found = memory.parse(recorded("memory"))
    assert found.total_kib > found.available_kib > 0
    assert found.swaps == ()
    assert found.processors >= 1
    with_swap = recorded("memory") + "/swapfile file 2097148 0 -2\n"
    assert memory.parse(with_swap).swaps == ("/swapfile",)
    with pytest.raises(ValueError, match="list of swaps"):
        memory.parse("2\nMemTotal: 1 kB\n")


def test_cpu() -> None:
    found = cpu.parse(recorded("cpu"))
    assert found.total > 0
    assert 0 <= found.steal < 1
    assert cpu.parse("cpu 0 0 0 0 0 0 0 0 0 0\ncpu 50 0 0 40 0 0 0 10 9 9\n") == cpu.CpuWindow(100, 10, 40)
    with pytest.raises(ValueError, match="two readings"):
        cpu.parse("cpu 1 2 3 4 5 6 7 8\n")
    with pytest.raises(ValueError, match="no processor time"):
        _ = cpu.CpuWindow(0, 0, 0).steal


def test_os_release() -> None:
    found = os_release.parse(recorded("os_release"))
    assert (found.id, found.version, found.machine) == ("debian", "12", "x86_64")
    assert found.kernel_version >= (4, 19)


def test_virtualization_sees_a_container_by_several_signs() -> None:
    found = virtualization.parse(recorded("virtualization"))
    assert found.container_signs == (
        "systemd-detect-virt says systemd-nspawn",
        "PID 2 is not kthreadd: the kernel is not its own",
        "/run/systemd/container names the container manager systemd-nspawn",
        "PID 1 names the container manager systemd-nspawn",
    )


KVM = {
    "detect_vm": "kvm",
    "detect_container": "none",
    "kthreadd": "yes",
    "container_file": "",
    "init_environment": "",
    "openvz": "no",
    "vzhost": "no",
    "dockerenv": "no",
    "uid_map": "0          0 4294967295",
    "dmi_vendor": "QEMU",
    "dmi_product": "Standard PC (Q35 + ICH9, 2009)",
    "hypervisor_flag": "yes",
    "clocksources": "kvm-clock tsc acpi_pm",
    "xen": "",
}


def test_virtualization_sees_kvm() -> None:
    found = virtualization.parse("".join(f"{name}\t{value}\n" for name, value in KVM.items()))
    assert found.container_signs == ()
    assert len(found.kvm_signs) == 3


@pytest.mark.parametrize(
    ("sign", "value"),
    [
        ("detect_container", "openvz"),
        ("detect_container", "lxc"),
        ("kthreadd", "no"),
        ("container_file", "lxc"),
        ("init_environment", "lxc"),
        ("openvz", "yes"),
        ("dockerenv", "yes"),
        ("uid_map", "0     100000      65536"),
    ],
)
def test_any_one_sign_is_enough_for_a_container(sign: str, value: str) -> None:
    assert len(virtualization.Virtualization({**KVM, sign: value}).container_signs) == 1


@pytest.mark.parametrize("sign", sorted(set(KVM) - {"hypervisor_flag", "xen"}))
def test_a_missing_sign_is_not_taken_as_absent(sign: str) -> None:
    text = "".join(f"{name}\t{value}\n" for name, value in KVM.items() if name != sign)
    if sign == "vzhost":
        text = text.replace("openvz\tno", "openvz\tyes")
    with pytest.raises(KeyError):
        virtualization.parse(text)


def test_ports() -> None:
    found = ports.parse(recorded("ports"))
    assert ("tcp", 22, "sshd") in {(each.protocol, each.port, each.program) for each in found}
    with pytest.raises(ValueError, match="not a listening socket"):
        ports.parse("Netid State\n")


def test_machine_id() -> None:
    found = machine_id.parse(recorded("machine_id"))
    assert found.hostname == "oslo-1"
    with pytest.raises(ValueError, match="no machine id"):
        machine_id.parse("\t\thost\n")


def test_interfaces() -> None:
    found = interfaces.parse(recorded("interfaces"))
    assert found["eth0"].mtu == 1500
    assert "10.60.0.11/24" in found["eth0"].addresses
    with pytest.raises(ValueError, match="list of interfaces"):
        interfaces.parse("{}")


def test_clock() -> None:
    assert clock.parse_now(recorded("clock")).year >= 2026
    with pytest.raises(ValueError, match="could not convert"):
        clock.parse_now("now\n")


def test_mounts() -> None:
    found = mounts.parse(recorded("mounts"))
    assert "/" in found
    assert found["/usr"].kind == "overlay"
    assert mounts.parse("a /mnt/a\\040b ext4 rw,noatime 0 0\n")["/mnt/a b"].options == ("rw", "noatime")
    with pytest.raises(ValueError, match="not a mount"):
        mounts.parse("nothing\n")


def test_images() -> None:
    assert "registry.k8s.io/pause:3.10.2" in images.parse(recorded("images"))
    assert images.parse("") == frozenset()
    with pytest.raises(ValueError, match="not an image's name"):
        images.parse("ctr: failed to dial\n")
