"""A bare node: a machine to whoever logs in, and nothing of this machine's to see or to change."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal import netns, nodes, teardown
from rehearsal.plan import Machine, Plan
from rehearsal.state import State
from tests.rehearsal.scratch import scratch_plan
from tests.site.trial import ssh

pytestmark = [pytest.mark.site, pytest.mark.slow]


@pytest.fixture(scope="module")
def plan() -> Iterator[Plan]:
    plan = scratch_plan(Path("/var/lib/safe-harbor/rehearsal-nodes"))
    teardown.down(plan)
    state = State(plan)
    nodes.make_keys(plan, plan.oslo_nodes)
    try:
        netns.raise_wan(plan, state)
        nodes.boot(plan, state, plan.oslo_nodes)
        yield plan
    finally:
        teardown.down(plan)


@pytest.fixture
def node(plan: Plan) -> Machine:
    return plan.oslo_nodes[0]


def test_it_runs_systemd_and_nothing_has_failed(plan: Plan, node: Machine) -> None:
    assert ssh(plan, node, "hostname") == node.name
    assert ssh(plan, node, "systemctl is-system-running --wait") == "running"


def test_passwords_are_refused(plan: Plan, node: Machine) -> None:
    argv = [
        "ssh",
        "-o",
        f"UserKnownHostsFile={plan.known_hosts}",
        "-o",
        "IdentitiesOnly=yes",
        "-i",
        "/dev/null",
    ]
    argv += ["-o", "BatchMode=yes", f"root@{node.address}", "true"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


def test_nothing_of_this_machine_is_seen(plan: Plan, node: Machine) -> None:
    seen = ssh(plan, node, "ls -A /home /srv /opt /var/lib/mysql 2>/dev/null; ls -A /root")
    assert seen.split() == ["/home:", "/opt:", "/srv:", ".ssh"]
    assert ssh(plan, node, "cut -d: -f2 /etc/shadow | sort -u") == "*"
    here = Path("/etc/ssh/ssh_host_ed25519_key.pub")
    if here.exists():
        assert ssh(plan, node, f"cat {here}").split()[1] != here.read_text().split()[1]


def test_nothing_of_this_machine_is_changed(plan: Plan, node: Machine) -> None:
    before = Path("/etc/passwd").read_bytes()
    ssh(plan, node, "echo intruder:x:0:0::/:/bin/sh >> /etc/passwd; touch /usr/intruder; rm /usr/bin/perl")
    assert Path("/etc/passwd").read_bytes() == before
    assert not Path("/usr/intruder").exists()
    assert Path("/usr/bin/perl").exists()


def test_only_its_own_sysctls_can_be_set(plan: Plan, node: Machine) -> None:
    before = Path("/proc/sys/vm/swappiness").read_text()
    assert ssh(plan, node, "sysctl -q -w net.ipv4.ip_forward=1 && cat /proc/sys/net/ipv4/ip_forward") == "1"
    assert ssh(plan, node, "sysctl -q -w vm.swappiness=3 2>/dev/null || echo refused") == "refused"
    assert Path("/proc/sys/vm/swappiness").read_text() == before


def test_kubelet_finds_its_tunables_as_it_wants_them(plan: Plan, node: Machine) -> None:
    names = "vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops"
    here = subprocess.run(["sysctl", "-n", *names.split()], capture_output=True, text=True, check=True).stdout
    assert ssh(plan, node, f"sysctl -n {names}").split() == ["1", "0", "10", "1"]
    ssh(plan, node, "echo 0 > /proc/sys/kernel/panic")
    again = subprocess.run(
        ["sysctl", "-n", *names.split()], capture_output=True, text=True, check=True
    ).stdout
    assert again == here


def test_it_can_make_what_a_pod_network_needs(plan: Plan, node: Machine) -> None:
    ssh(plan, node, "ip link add vx0 type vxlan id 9 dstport 8472 dev eth0 && ip link del vx0")
    ssh(plan, node, "iptables -t nat -A POSTROUTING -j RETURN && iptables -t nat -F")
    assert ssh(plan, node, "findmnt -no PROPAGATION /") == "shared"
    ssh(plan, node, "mkdir -p /var/lib/containerd/{u,w,m} && mount -t overlay o"
        " -o lowerdir=/etc,upperdir=/var/lib/containerd/u,workdir=/var/lib/containerd/w /var/lib/containerd/m"
        " && umount /var/lib/containerd/m")  # fmt: skip


def test_the_aws_side_is_out_of_reach(plan: Plan, node: Machine) -> None:
    inside_aws = plan.elb_private
    refused = ssh(plan, node, f"timeout 3 bash -c 'exec 3<>/dev/tcp/{inside_aws}/80' 2>&1 || true")
    assert (
        "Network is unreachable" in refused
        or "No route to host" in refused
        or "prohibited" in refused.lower()
    )
