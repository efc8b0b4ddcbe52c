"""The deep site: Oslo's nodes are QEMU guests with kernels of their own, on simulated KVM hosts.

It has no AWS side: what needs a source (network's comparison, move, replay, cutover) is rehearsed with
containers. It shows what containers cannot: machines made through libvirt, kernels of their own admitted,
tuned, with WireGuard between them, rebooted and found as they were.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from inventory.load import load_site
from inventory.models.command import Command
from inventory.models.finding import Finding, Severity
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict, worst
from rehearsal import guest_image, kvm_host, netns, nodes, services, teardown
from rehearsal.parts import Steps
from rehearsal.plan import Machine, Plan
from rehearsal.reach import link_kubectl
from rehearsal.services.files import write_private
from rehearsal.services.site_file import declaration
from rehearsal.site import Site, claim, prepare, refuse_second
from rehearsal.state import State
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Host, Kube

KVM_HOSTS = (Machine("kvm-1", "10.60.0.5"), Machine("kvm-2", "10.60.0.6"))
MEMORY_MIB = 2048  # of a guest: a control plane needs 1700
DISK_GIB = 8
_BOOT_S = 300.0  # an emulated machine, on a busy host
_BOOT_ID = Command.of("cat", "/proc/sys/kernel/random/boot_id")
# What an emulated processor and a disk behind it cannot show, whatever they are measured at.
_EMULATED = ("ADM-VIRT", "ADM-CLOCK", "ADM-DISK", "ADM-FLAGS", "ADM-NOISE")
# Nothing on these disks outlives the rehearsal, and an emulated machine flushes for a quarter of a second.
_HASTY_DISK = {"disk_cache": "unsafe", "disk_io": "threads"}
_NO_SOURCE = "# A deep rehearsal has no source. Nothing reads this file.\n"


def plan() -> Plan:
    """Two KVM hosts, and a control plane and a worker on them."""
    whole = Plan()
    return replace(whole, aws_nodes=(), oslo_nodes=whole.oslo_nodes[:2], kvm_hosts=KVM_HOSTS)


def standing() -> Plan:
    """The plan of the site that is up or was left: the deep one, or the usual one."""
    known = State(Plan()).recorded("netns")
    return plan() if any(host.netns in known for host in KVM_HOSTS) else Plan()


def up(steps: Steps, ready_parts: Path | None, out: Path) -> Site:
    """Raise the KVM hosts and write the site file; a failure leaves nothing behind.

    Raises AlreadyUp, and what packages, parts and the guests' image raise.
    """
    mine = plan()
    refuse_second(Plan())
    programs = prepare(steps, ready_parts, mine)
    image = guest_image.image(steps)
    began = time.monotonic()
    state = claim(mine)
    try:
        steps.step("networks, keys and KVM hosts")
        nodes.make_keys(mine, mine.kvm_hosts)
        services.prepare(mine)
        netns.raise_wan(mine, state)
        kvm_host.boot(mine, state)
        link_kubectl(mine, programs)
        file = _write_site_file(mine, programs, image, out)
    except BaseException:
        teardown.down(mine)
        raise
    return Site(mine, file, programs, {"all": round(time.monotonic() - began, 1)})


def became_ready(kube: Kube, since: datetime) -> StageResult:
    """When the API server saw each node become Ready, in seconds from the first change of its machine."""
    after, findings = {}, []
    for node in kube.list("v1", "Node"):
        name, status = str(node["metadata"]["name"]), node["status"]
        (ready,) = (each for each in status["conditions"] if each["type"] == "Ready")
        after[name] = (datetime.fromisoformat(ready["lastTransitionTime"]) - since).total_seconds()
        findings.append(
            Finding(
                code="DEEP-READY",
                subject=name,
                verdict=Verdict.PASS if ready["status"] == "True" else Verdict.FAIL,
                observed=f"Ready is {ready['status']}, {after[name]:.0f} s after its machine was begun",
                expected="a machine that did not exist is a Ready node",
                severity=Severity.CRITICAL,
            )
        )
    return StageResult(
        name="ready",
        verdict=worst([each.verdict for each in findings]),
        started_at=since,
        seconds=max(after.values(), default=0.0),
        findings=tuple(findings),
        figures={"ready_after_s": after},
    )


def reboot(hosts: Mapping[str, Host], say: Steps) -> StageResult:
    """Reboot every node; a stage's result, with a finding a node and the seconds until it answered again."""
    started_at, start = datetime.now(UTC), time.monotonic()
    before = {name: host.check(_BOOT_ID) for name, host in hosts.items()}
    for host in hosts.values():
        host.check(Command.of("systemd-run", "--on-active=1", "systemctl", "reboot"))
    findings, seconds = [], {}
    for name, host in hosts.items():
        say.step(f"rebooting {name}")
        seconds[name] = _await_reboot(host, before[name])
        found = f"answers {seconds[name]:.0f} s later, kernel {host.check(Command.of('uname', '-r')).strip()}"
        findings.append(
            Finding(
                code="DEEP-BOOT",
                subject=name,
                verdict=Verdict.PASS,
                observed=found,
                expected="another boot of its own kernel",
                severity=Severity.CRITICAL,
            )
        )
    return StageResult(
        name="reboot",
        verdict=worst([each.verdict for each in findings]),
        started_at=started_at,
        seconds=round(time.monotonic() - start, 3),
        findings=tuple(findings),
        figures={"reboot_s": seconds},
    )


def _await_reboot(host: Host, before: str) -> float:
    """Seconds until it answers with another boot id, and its start is over."""
    start = time.monotonic()
    while True:
        try:
            if host.check(_BOOT_ID, timeout_s=10.0) != before:
                host.run(Command.of("systemctl", "is-system-running", "--wait"), timeout_s=_BOOT_S)
                return round(time.monotonic() - start, 1)
        except OutsideError:
            if time.monotonic() - start > _BOOT_S:
                raise
        time.sleep(1.0)


def _write_site_file(mine: Plan, programs: Path, image: Path, out: Path) -> Path:
    """The usual site file, with the machines that are to be made."""
    for file in (mine.aws_kubeconfig, mine.capture):
        write_private(file, _NO_SOURCE.encode())
    accelerator = kvm_host.accelerator()
    content = declaration(mine, programs, out)
    content["target"]["kvm"] = _machines(mine, image, accelerator)
    content["profile"] = "web"  # limits, units, module options and links outlive a boot as well
    content["target"]["cluster"]["network"] = {
        "kind": "flannel_wireguard"
    }  # containers' kernel has none here
    content["waivers"] = _waivers(content["waivers"][0]) if accelerator == "qemu" else []
    file = mine.site_file
    write_private(file, yaml.safe_dump(content, sort_keys=False).encode())
    load_site(file)
    return file


def _waivers(usual: dict[str, Any]) -> list[dict[str, Any]]:
    reason = "No usable KVM on this machine: the guests are emulated, with kernels of their own."
    expires = usual["expires"].isoformat()  # a date object in each would be written as an alias
    return [{**usual, "check": check, "reason": reason, "expires": expires} for check in _EMULATED]


def _machines(mine: Plan, image: Path, accelerator: str) -> dict[str, Any]:
    with image.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return {
        "hosts": [
            {
                "name": host.name,
                "address": host.address,
                "accelerator": accelerator,
                "reserve_mib": 512,
                "vcpus_per_cpu": 4.0,
            }
            for host in mine.kvm_hosts
        ],
        "network": {"bridge": kvm_host.BRIDGE, "gateway": mine.oslo_gateway},
        "image": {"file": str(image), "sha256": digest},
        "machines": [
            {
                "node": node.name,
                "apart": "nodes",
                "vcpus": 2 if node == mine.oslo_edge else 1,  # kubeadm wants two for a control plane
                "memory_mib": MEMORY_MIB,
                "disk_gib": DISK_GIB,
                # host-passthrough is KVM's alone; of the newer models an emulated machine boots far slower.
                "cpu_model": "host-passthrough" if accelerator == "kvm" else "Nehalem",
                **({} if accelerator == "kvm" else _HASTY_DISK),
            }
            for node in mine.oslo_nodes
        ],
    }
