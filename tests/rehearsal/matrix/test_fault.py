"""A fault is undone whatever happens, Ctrl-C in the middle of the undo included."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import pytest

from inventory.errors import BadInput
from inventory.models.command import Shellable
from rehearsal.matrix.fault import Fault, Where, struck
from rehearsal.matrix.registry import all_faults, faults_named
from tasks.checks.context import DataPlane
from tasks.drivers.ports import Output
from tasks.facts.probe import NAMESPACE
from tests.networks.cluster import MemoryKube, StillClock, said
from tests.operations.network_site import site

WHERE = Where(DataPlane(site(), {}, MemoryKube(), {}, StillClock()), site().target.nodes[-1])


def noting(done: list[str], **acts: Any) -> Fault:
    def act(name: str) -> Any:
        def run(_: Where) -> None:
            acts.get(name, lambda: None)()
            done.append(name)

        return run

    return Fault("test", "nothing", "DP-FWD", act("create"), act("undo"))


def test_a_fault_is_undone_after_the_block() -> None:
    done: list[str] = []
    with struck(noting(done), WHERE):
        done.append("block")
    assert done == ["create", "block", "undo"]


def test_a_fault_is_undone_where_the_block_or_its_creation_fails() -> None:
    done: list[str] = []
    with pytest.raises(RuntimeError), struck(noting(done), WHERE):
        raise RuntimeError
    assert done == ["create", "undo"]

    def half_way() -> None:
        raise RuntimeError

    done.clear()
    with pytest.raises(RuntimeError), struck(noting(done, create=half_way), WHERE):
        pytest.fail("nothing was created")
    assert done == ["undo"]


@pytest.mark.parametrize("number", [signal.SIGINT])
def test_ctrl_c_in_the_block_or_in_the_undo_ends_after_the_undo(number: signal.Signals) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), struck(noting(done), WHERE):
        signal.raise_signal(number)
    assert done == ["create", "undo"]

    done.clear()
    fault = noting(done, undo=lambda: signal.raise_signal(number))
    with pytest.raises(KeyboardInterrupt), struck(fault, WHERE):
        pass
    assert done == ["create", "undo"], "the undo was interrupted"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("there", [True, False])
def test_a_fault_is_possible_where_the_node_has_what_it_needs(there: bool) -> None:
    class Node:
        def run(self, command: Shellable) -> Output:
            assert command.render() == "test -w /proc/sys/net/ipv4/neigh/default/gc_thresh3"
            return said("", 0 if there else 1)

    where = Where(replace(WHERE.context, hosts={WHERE.node.name: Node()}), WHERE.node)  # type: ignore[dict-item] # only run()
    (fault,) = faults_named(["neighbour-overflow"])
    assert fault.possible(where) is there
    (anywhere,) = faults_named(["wrong-mtu"])
    assert anywhere.possible(WHERE), "nothing is asked"


def test_every_fault_has_a_check_of_its_own() -> None:
    # What needs another kernel or network may break the same paths there.
    primaries = [(fault.primary, fault.needs) for fault in all_faults()]
    assert len(primaries) == len(set(primaries)) >= 26
    for fault in all_faults():
        assert fault.what and fault.name == fault.name.lower()


def test_every_check_of_the_field_failures_has_its_fault() -> None:
    assert {fault.primary for fault in all_faults()} >= {
        *(
            "FL-SUBNET",
            "FL-MASQ",
            "KP-HEALTH",
            "KP-ENDPOINTS",
            "KP-RESTORE",
            "PATH-NODES",
            "DP-ARP",
            "CT-LOG",
        ),
    }


def test_refused_rules_are_created_and_undone_without_a_trace() -> None:
    class Node:
        def __init__(self) -> None:
            self.ran: list[str] = []
            self.files: dict[str, int] = {}

        def check(self, command: Shellable) -> str:
            self.ran.append(command.render())
            return ""

        def put_file(self, path: str, content: bytes, *, mode: int) -> None:
            assert content.startswith(b"#!/bin/sh")
            self.files[path] = mode

    kube, hosts = MemoryKube(), {node.name: Node() for node in site().target.nodes}
    context = replace(WHERE.context, kube=kube, hosts=hosts)  # type: ignore[arg-type] # only what is used
    where = Where(context, WHERE.node)
    (fault,) = faults_named(["rules-refused"])
    with struck(fault, where):
        assert hosts[where.node.name].files == {"/usr/local/sbin/iptables-restore": 0o755}
        assert kube.get("v1", "Service", "refused", namespace=NAMESPACE) is not None
        (start,) = hosts[where.plane.name].ran
        assert "systemd-run" in start
    assert kube.get("v1", "Service", "refused", namespace=NAMESPACE) is None
    assert "systemctl stop" in hosts[where.plane.name].ran[-1]
    assert "systemctl restart kube-proxy" in hosts[where.node.name].ran[-1]


def test_an_unknown_fault_lists_the_known() -> None:
    with pytest.raises(BadInput, match=r"no fault 'mtu'; known: .*wrong-mtu"):
        faults_named(["mtu"])
    assert [fault.name for fault in faults_named(["wrong-mtu"])] == ["wrong-mtu"]
    assert faults_named([]) == all_faults()
