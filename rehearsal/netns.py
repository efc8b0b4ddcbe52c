"""The site's network namespaces, bridges, links and routes, from the plan; made with `ip`, again and again.

Only two things are made in the machine's own namespace: one end of a veth pair and one route.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from rehearsal.plan import Machine, Plan
from rehearsal.state import State
from tasks.drivers.errors import CommandFailed

NAMED = Path("/run/netns")
_MTU = 1500


def ip(*words: str, netns: str | None = None, batch: str | None = None) -> str:
    """Run `ip` (with `batch` lines on its input, if given). Raises CommandFailed with what it said."""
    argv = ["ip", *(("-n", netns) if netns else ()), *(("-batch", "-") if batch is not None else ()), *words]
    done = subprocess.run(argv, input=batch, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed("ip", f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def raise_wan(plan: Plan, state: State) -> None:
    """The router with both bridges, the addresses of the link, and the way from the host to it."""
    if not _new_netns(plan.wan_netns, state):
        return
    state.record("interface", plan.host_interface)
    publics = (plan.elb_public, plan.rds_public, plan.registry_public, plan.api_public, plan.moto_public)
    lines = [
        "link set lo up",
        *(f"addr add {address}/32 dev lo" for _, address in plan.exchanges),
        f"link add {plan.aws_bridge} type bridge forward_delay 0",
        f"link add {plan.oslo_bridge} type bridge forward_delay 0",
        f"addr add {plan.aws_gateway}/24 dev {plan.aws_bridge}",
        f"addr add {plan.oslo_edge_from_aws}/24 dev {plan.aws_bridge}",
        f"addr add {plan.oslo_database_from_aws}/24 dev {plan.aws_bridge}",
        f"addr add {plan.oslo_gateway}/24 dev {plan.oslo_bridge}",
        f"link set {plan.aws_bridge} up",
        f"link set {plan.oslo_bridge} up",
        # The two sides and the host meet at the link's addresses only: nothing is routed past them to AWS.
        f"rule add pref 10 iif {plan.oslo_bridge} to {plan.aws_network} prohibit",
        f"rule add pref 11 iif wan0 to {plan.aws_network} prohibit",
        f"rule add pref 12 iif {plan.aws_bridge} to {plan.oslo_network} prohibit",
    ]
    ip(netns=plan.wan_netns, batch="\n".join(lines))
    ip("link", "add", plan.host_interface, "type", "veth", "peer", "name", "wan0", "netns", plan.wan_netns)
    wan = [f"addr add {address}/{plan.wan_prefix} dev wan0" for address in (plan.wan_address, *publics)]
    wan += [f"addr add {plan.dns_address}/{plan.wan_prefix} dev wan0", "link set wan0 up"]
    ip(netns=plan.wan_netns, batch="\n".join(wan))
    ip("addr", "add", f"{plan.host_address}/{plan.wan_prefix}", "dev", plan.host_interface)
    ip("link", "set", plan.host_interface, "up")
    ip("route", "replace", plan.oslo_network, "via", plan.wan_address)
    sysctl(plan.wan_netns, "net/ipv4/ip_forward", "1")
    for family in ("iptables", "ip6tables", "arptables"):
        sysctl(plan.wan_netns, f"net/bridge/bridge-nf-call-{family}", "0")


def raise_machine(plan: Plan, state: State, machine: Machine) -> None:
    """One machine's namespace, on the bridge of its side, with its default route."""
    aws = machine in plan.aws_nodes
    _join(plan, state, machine.netns, (machine.address,), aws=aws)


def raise_services(plan: Plan, state: State) -> None:
    """The namespace of the AWS side's services."""
    addresses = (plan.elb_private, plan.rds_private, plan.registry_private, plan.moto_private)
    _join(plan, state, plan.service_netns, addresses, aws=True)


def exists(name: str) -> bool:
    """Whether the namespace is there."""
    return (NAMED / name).exists()


def sysctl(netns: str, key: str, value: str) -> None:
    """Set a net.* sysctl inside a namespace (path form); a kernel without it keeps its default."""
    if not key.startswith("net/"):
        raise ValueError(f"{key} is not of a network namespace: it would change the host")
    script = 'test ! -e "/proc/sys/$1" || printf %s "$2" > "/proc/sys/$1"'
    argv = ["nsenter", f"--net={NAMED / netns}", "sh", "-c", script, "sh", key, value]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed(netns, f"sysctl {key}={value}: {done.stderr.strip()}")


def _join(plan: Plan, state: State, netns: str, addresses: tuple[str, ...], *, aws: bool) -> None:
    if not _new_netns(netns, state):
        return
    bridge, gateway = (plan.aws_bridge, plan.aws_gateway) if aws else (plan.oslo_bridge, plan.oslo_gateway)
    port = f"v-{netns.removeprefix('shx-')}"
    # A port of that name is left where a namespace was removed and the kernel has not yet cleared its end.
    subprocess.run(["ip", "-n", plan.wan_netns, "link", "del", port], capture_output=True, check=False)
    ip(
        *("link", "add", "eth0", "mtu", str(_MTU), "netns", netns),
        *("type", "veth", "peer", "name", port, "netns", plan.wan_netns),
    )
    ip(netns=plan.wan_netns, batch=f"link set {port} master {bridge}\nlink set {port} up")
    lines = ["link set lo up", *(f"addr add {address}/24 dev eth0" for address in addresses)]
    lines += ["link set eth0 up", f"route add default via {gateway}"]
    ip(netns=netns, batch="\n".join(lines))


def _new_netns(name: str, state: State) -> bool:
    if exists(name):
        return False
    state.record("netns", name)
    ip("netns", "add", name)
    return True
