"""Two nodes that flannel knows under one address, as clones and machines behind NAT are.

The struck node's registration in etcd is altered under its own lease, and kept beside as it was: a start with
another --public-ip would take the other node's subnet, and no undo could give that back.
"""

from __future__ import annotations

import base64
import json

from inventory.models.cluster import Role
from inventory.models.command import Command, Script
from rehearsal.matrix.fault import Fault, Where
from tasks.drivers.errors import ServiceFailed
from tasks.facts.flannel import LEASES_KEY, EtcdAccess, parse_subnet, subnet_command
from tasks.operations.flannel import etcd_access

_KEPT = "/run/sh-fault-lease.json"  # on the control plane


def _etcd(where: Where) -> EtcdAccess:
    planes = where.context.site.target.having(Role.CONTROL_PLANE)
    return etcd_access(",".join(f"https://{node.address}:2379" for node in planes))


def _create(where: Where) -> None:
    plane, etcd = where.context.hosts[where.plane.name], _etcd(where)
    env = parse_subnet(where.host.check(subnet_command()))
    if env is None:
        raise ServiceFailed(where.node.name, "flanneld has no subnet")
    key = LEASES_KEY + str(env.subnet.network).replace("/", "-")
    (kept,) = json.loads(plane.check(etcd.command("get", key, "--write-out=json")))["kvs"]
    plane.put_file(_KEPT, json.dumps(kept).encode(), mode=0o600)
    lease = json.loads(base64.b64decode(kept["value"]))
    _put(where, kept, json.dumps(lease | {"PublicIP": str(where.peer.address)}).encode())


def _undo(where: Where) -> None:
    plane = where.context.hosts[where.plane.name]
    text = plane.check(Script.of('[ ! -e "$1" ] || cat "$1"', _KEPT))
    if text:
        kept = json.loads(text)
        _put(where, kept, base64.b64decode(kept["value"]))
        plane.check(Command.of("rm", _KEPT))


def _put(where: Where, kept: dict[str, str | int], value: bytes) -> None:
    key = base64.b64decode(str(kept["key"])).decode()
    put = _etcd(where).command("put", key, f"--lease={int(kept['lease']):x}")
    where.context.hosts[where.plane.name].check(put, stdin=value)


FAULT = Fault(
    name="duplicate-public-ip",
    what="flannel has a node registered under another one's public IP",
    primary="FL-PUBLIC",
    create=_create,
    undo=_undo,
)
