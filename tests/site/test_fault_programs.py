"""What a fault does to a node's kernel, and that its undo leaves nothing: in a network namespace of its own.

Faults of daemons and of the cluster need nodes: they are tried by `test_network` and `rehearse matrix`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory.models.command import Command, Script, Shellable
from rehearsal.matrix.fault import Where, struck
from rehearsal.matrix.pinned import PIN_UNDERLAY, UNPIN_UNDERLAY
from rehearsal.matrix.registry import all_faults, faults_named
from tasks.checks.context import DataPlane
from tasks.drivers.ports import Output
from tasks.facts.probe import NAMESPACE, PEER_SERVICE, SERVICE
from tests.networks.cluster import MemoryKube, StillClock
from tests.operations.network_site import site

pytestmark = [pytest.mark.site]

OF_DAEMONS_AND_CLUSTER = {
    *("dead-endpoint", "duplicate-public-ip", "flanneld-stopped", "wrong-interface"),
    *("kube-proxy-stopped", "rules-refused"),
}
KERNEL_FAULTS = [fault.name for fault in all_faults() if fault.name not in OF_DAEMONS_AND_CLUSTER]

MAC = "02:00:00:00:00:01"
LOOPBACK = "0.0.0.0"  # noqa: S104 - nothing binds to it: as the neighbour table has it

# A node as flannel and the bridge plugin leave it, without the daemons. /run and /sys are its own.
NODE = """
set -e
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
mkdir /run/flannel
env=/run/flannel/subnet.env
printf 'FLANNEL_%s\\n' NETWORK=10.244.0.0/16 SUBNET=10.244.9.1/24 MTU=1450 IPMASQ=true > "$env"
ip link set lo up
ip link add eth0 type veth peer name other
ip address add 10.60.0.13/24 dev eth0
ip link add flannel.1 type vxlan id 1 local 10.60.0.13 dstport 8472 nolearning dev eth0
ip link add cni0 type bridge
ip link add pod type veth peer name ofpod
ip link set pod master cni0
for link in eth0 other flannel.1 cni0 pod; do ip link set "$link" up; done
bridge link set dev pod hairpin on
iptables -t nat -N KUBE-SERVICES
iptables -t nat -N KUBE-SVC-ABCDEFGH23456789
iptables -t nat -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp --dport 80 -j KUBE-SVC-ABCDEFGH23456789
iptables -t nat -N FLANNEL-POSTRTG
iptables -t nat -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -j RETURN
iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
sysctl -q -w net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
"""
LOOK = """
iptables-save | grep -E 'KUBE|SH-|8472|FLANNEL|sh-fault' || true
ls /run/flannel
iptables-legacy-save | grep KUBE || true
nft list tables ip | grep -v -E 'nat|filter' || true
ip rule; ip route show table all | grep 'table 4811' || true
cat /sys/class/net/*/mtu
bridge -d link show dev pod | grep -o 'hairpin o[nf]*'
ethtool -k eth0 | grep -E '^tx-checksumming'
[ "$(conntrack -C)" -lt 1000 ] || echo 'a full table'
for key in ip_forward conf.all.rp_filter conf.flannel/1.rp_filter; do sysctl "net.ipv4.$key"; done
sysctl net.bridge.bridge-nf-call-iptables net.netfilter.nf_conntrack_tcp_timeout_time_wait
ls /run/sh-fault 2> /dev/null || true
"""


class Namespace:
    """A node's kernel side; runs commands as `ports.Host` does."""

    name = "oslo-3"

    def __init__(self, pid: int) -> None:
        self._enter = ["nsenter", "-t", str(pid), "-n", "-m", "--", "sh", "-c"]

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        done = subprocess.run(
            [*self._enter, command.render()], input=stdin, capture_output=True, timeout=timeout_s, check=False
        )
        return Output(done.returncode, done.stdout.decode(), done.stderr.decode(), 0.0)

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        output = self.run(command, stdin=stdin, timeout_s=timeout_s)
        assert output.ok, output
        return output.stdout


def await_own_namespaces(pid: int, within_s: float = 30.0) -> None:
    """Until the process has left this machine's own namespaces, which nothing here may touch."""
    deadline = time.monotonic() + within_s
    while any(
        Path(f"/proc/{pid}/ns/{kind}").readlink() == Path(f"/proc/self/ns/{kind}").readlink()
        for kind in ("net", "mnt")
    ):
        assert time.monotonic() < deadline, "it stays in this machine's namespaces"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def where() -> Iterator[Where]:
    argv = ["unshare", "--net", "--mount", "--propagation", "private", "sleep", "600"]
    with subprocess.Popen(argv) as holder:
        try:
            await_own_namespaces(holder.pid)
            node = Namespace(holder.pid)
            node.check(Script.of(NODE))
            services = [
                {
                    "kind": "Service",
                    "metadata": {"name": name, "namespace": NAMESPACE},
                    "spec": {"clusterIP": address},
                }
                for name, address in ((SERVICE, "10.96.0.10"), (PEER_SERVICE, "10.96.0.11"))
            ]
            declared = site()
            hosts = {each.name: node for each in declared.target.nodes}
            context = DataPlane(declared, hosts, MemoryKube().put(*services), {}, StillClock())  # type: ignore[arg-type] # only run and check
            yield Where(context, declared.target.nodes[-1])
        finally:
            holder.kill()


@pytest.mark.parametrize("name", KERNEL_FAULTS)
def test_a_fault_is_there_and_gone_again_without_a_trace(where: Where, name: str) -> None:
    (fault,) = faults_named([name])
    if not fault.possible(where):
        assert fault.needs, "only what takes a kernel of its own is not possible here"
        return
    before = where.host.check(Script.of(LOOK))
    fault.undo(where)
    assert where.host.check(Script.of(LOOK)) == before, "an undo with nothing to undo changed something"
    with struck(fault, where):
        assert where.host.check(Script.of(LOOK)) != before
    assert where.host.check(Script.of(LOOK)) == before
    fault.undo(where)
    assert where.host.check(Script.of(LOOK)) == before


def test_the_underlays_neighbours_are_permanent_meanwhile(where: Where) -> None:
    where.host.check(
        Command.of("ip", "neigh", "add", "10.60.0.11", "lladdr", MAC, "nud", "reachable", "dev", "eth0")
    )
    where.host.check(
        Command.of("ip", "neigh", "add", "10.244.9.7", "lladdr", MAC, "nud", "reachable", "dev", "cni0")
    )
    UNPIN_UNDERLAY(where)
    PIN_UNDERLAY(where)
    assert sorted(permanent(where)) == [LOOPBACK, "10.60.0.11"], "those of pods are not of the underlay"
    UNPIN_UNDERLAY(where)
    assert permanent(where) == []
    assert "10.60.0.11" in where.host.check(Script.of("ip -4 neigh show dev eth0 nud stale"))


def permanent(where: Where) -> list[str]:
    shown = where.host.check(Script.of("ip -4 neigh show nud permanent"))
    return [line.split()[0] for line in shown.splitlines()]
