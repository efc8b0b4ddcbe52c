"""flannel's view of a node: `/run/flannel/subnet.env`, and the network's configuration in etcd."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from inventory.models.command import Command, Script, Shellable
from tasks.facts.asked import Asked

SUBNET_FILE = "/run/flannel/subnet.env"
CONFIG_KEY = "/coreos.com/network/config"
LEASES_KEY = "/coreos.com/network/subnets/"


@dataclass(frozen=True)
class SubnetEnv:
    """What flanneld got for this node. `subnet` is the gateway's address with the subnet's length."""

    network: IPv4Network
    subnet: IPv4Interface
    mtu: int
    masquerades: bool


@dataclass(frozen=True)
class EtcdAccess:
    """How etcd is asked on a node: endpoints and paths of the client's certificate on that node."""

    endpoints: str
    ca: str
    certificate: str
    key: str

    def command(self, *words: str) -> Command:
        """An `etcdctl` command."""
        return Command.of(
            "etcdctl",
            f"--endpoints={self.endpoints}",
            f"--cacert={self.ca}",
            f"--cert={self.certificate}",
            f"--key={self.key}",
            "--dial-timeout=5s",
            "--command-timeout=10s",
            *words,
        )


def parse_subnet(output: str) -> SubnetEnv | None:
    """None where the file is not there. Raises ValueError or KeyError where it is not flanneld's."""
    if not output.strip():
        return None
    values = dict(line.split("=", 1) for line in output.split())
    return SubnetEnv(
        IPv4Network(values["FLANNEL_NETWORK"]),
        IPv4Interface(values["FLANNEL_SUBNET"]),
        int(values["FLANNEL_MTU"]),
        {"true": True, "false": False}[values["FLANNEL_IPMASQ"]],
    )


def subnet_command() -> Shellable:
    """Ask for the node's subnet; an absent file is an empty answer."""
    return Script.of('[ ! -e "$1" ] || cat "$1"', SUBNET_FILE)


def ask_subnet() -> Asked[SubnetEnv | None]:
    """The question about the node's subnet."""
    return Asked("flannel subnet", subnet_command(), parse_subnet)


def parse_config(output: str) -> Mapping[str, Any] | None:
    """The network's configuration, None where etcd has none. Raises ValueError where it is no JSON object."""
    if not output.strip():
        return None
    value = json.loads(output)
    if not isinstance(value, dict):
        raise ValueError("a JSON object expected")
    return value


def ask_config(etcd: EtcdAccess) -> Asked[Mapping[str, Any] | None]:
    """The question about the configuration in etcd."""
    return Asked("flannel configuration", etcd.command("get", CONFIG_KEY, "--print-value-only"), parse_config)


def ask_configured(unit: str) -> Asked[str]:
    """The digest of the configuration with which flanneld was last set up: the last word of its unit's first
    line; empty where there is no unit of ours."""
    command = Script.of('[ ! -e "$1" ] || head -n 1 -- "$1"', unit)
    return Asked("flanneld's configuration", command, lambda output: (output.split() or [""])[-1])


def parse_leases(output: str) -> Mapping[str, str]:
    """Subnet -> public IP, as flanneld registers them: `.../10.244.84.0-24` and a JSON object.

    Raises ValueError or KeyError where it is something else.
    """
    lines = [line for line in output.splitlines() if line]
    return {
        key.removeprefix(LEASES_KEY).replace("-", "/"): str(json.loads(value)["PublicIP"])
        for key, value in zip(lines[::2], lines[1::2], strict=True)
    }


def ask_leases(etcd: EtcdAccess) -> Asked[Mapping[str, str]]:
    """The question about every node's registration in etcd."""
    return Asked("flannel leases", etcd.command("get", LEASES_KEY, "--prefix"), parse_leases)
