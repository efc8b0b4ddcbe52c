"""The kernel's door is shut to kube-proxy: every set of rules that it writes is refused.

A program of the same name, found first on its search path, plays that. kube-proxy writes rules when a Service
changes, so one that nobody uses changes its port every second meanwhile.
"""

from __future__ import annotations

from typing import Any

from inventory.models.command import Script
from rehearsal.matrix.fault import Fault, Where
from tasks.facts.probe import NAMESPACE

_SERVICE = "refused"
_PROGRAM = "/usr/local/sbin/iptables-restore"
_REFUSE = b"#!/bin/sh\ncat > /dev/null\necho 'sh-fault: refused' >&2\nexit 1\n"
_UNIT = "sh-fault-changes"
_FIRST_REFUSAL_S = 5.0  # kube-proxy writes at most once a second
# $1 the unit, $2 the program of the loop, which has its own words after it.
_START = 'systemd-run --quiet --collect --unit="$1" sh -c "$2" sh "$3" "$4"'
_CHANGE = """
while :; do
  for port in 8001 8002; do
    kubectl --kubeconfig=/etc/kubernetes/admin.conf -n "$1" patch service "$2" --type=merge \\
      -p "{\\"spec\\":{\\"ports\\":[{\\"name\\":\\"http\\",\\"port\\":$port}]}}" > /dev/null
    sleep 1
  done
done
"""
_STOP = '! systemctl is-active -q "$1" || systemctl stop "$1"'
# A kube-proxy that starts anew has counted no refusal, and writes all rules again.
_LET_IN = '[ ! -e "$1" ] || { rm "$1" && systemctl restart kube-proxy; }'


def _manifest() -> dict[str, Any]:
    """Without endpoints: it has no address that anything is judged by."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _SERVICE, "namespace": NAMESPACE},
        "spec": {"ports": [{"name": "http", "port": 8000}]},
    }


def _create(where: Where) -> None:
    where.context.kube.apply(_manifest())
    where.host.put_file(_PROGRAM, _REFUSE, mode=0o755)
    where.context.hosts[where.plane.name].check(Script.of(_START, _UNIT, _CHANGE, NAMESPACE, _SERVICE))
    where.context.clock.sleep(_FIRST_REFUSAL_S)


def _undo(where: Where) -> None:
    where.context.hosts[where.plane.name].check(Script.of(_STOP, f"{_UNIT}.service"))
    where.context.kube.delete("v1", "Service", _SERVICE, namespace=NAMESPACE)
    where.host.check(Script.of(_LET_IN, _PROGRAM))


FAULT = Fault(
    name="rules-refused",
    what="iptables-restore refuses every set of rules of a node's kube-proxy",
    primary="KP-RESTORE",
    create=_create,
    undo=_undo,
)
