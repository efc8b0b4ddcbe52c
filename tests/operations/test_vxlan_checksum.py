"""The remedy of the VXLAN checksum bug: only where it is declared, kept over a new link, and taken back."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from inventory.models.change import PutFile, Run
from inventory.models.cluster import Cluster, Network
from tasks.facts import files as file_facts
from tasks.facts import link_checksum
from tasks.facts.gather import Facts
from tasks.operations import vxlan_checksum
from tasks.operations.files import Wanted
from tests.operations.network_site import facts, files_answer, site

PATH = vxlan_checksum.PATH


def cluster(**network: Any) -> Cluster:
    return site(network=Network(**network)).target.cluster


def answers(of: Cluster, link: str, there: Wanted | None = None) -> Facts:
    files = files_answer([PATH], (there,) if there else ())
    told = (file_facts.ask((PATH,)), files)
    name = vxlan_checksum.link_of(of)
    return facts("oslo-1", told, (link_checksum.ask(name), link)) if name else facts("oslo-1", told)


def plan(of: Cluster, link: str, there: Wanted | None = None) -> list[str]:
    return [
        f"{each.subject}: {each.before or 'absent'} -> {each.after}"
        for each in vxlan_checksum.plan("oslo-1", of, answers(of, link, there))
    ]


ON, OFF = cluster(vxlan_checksum_off=True), cluster()
FILE = vxlan_checksum.wanted(ON)


def test_it_is_off_unless_declared_and_never_touches_what_others_have_set() -> None:
    assert FILE is not None
    assert not Network().vxlan_checksum_off
    for link in ("on", "off", "absent"):
        assert plan(OFF, link) == []
    assert vxlan_checksum.wanted(OFF) is None


def test_declared_it_sets_the_link_and_keeps_it() -> None:
    assert FILE is not None
    file, switch = vxlan_checksum.plan("oslo-1", ON, answers(ON, "on"))
    put = next(action for action in file.apply if isinstance(action, PutFile))
    assert b"ExecStartPost=/usr/sbin/ethtool -K flannel.1 tx-checksum-ip-generic off\n" in put.content
    assert str(file.apply[-1]) == str(file.undo[-1])
    assert [str(action.command) for action in switch.apply if isinstance(action, Run)] == [
        "ethtool -K flannel.1 tx-checksum-ip-generic off"
    ]
    assert [str(action.command) for action in switch.undo if isinstance(action, Run)] == [
        "ethtool -K flannel.1 tx-checksum-ip-generic on"
    ]
    assert plan(ON, "off", FILE) == []  # a plan after its own apply


def test_a_link_that_flanneld_has_not_made_yet_needs_the_drop_in_only() -> None:
    (said,) = plan(ON, "absent")
    assert said.startswith(f"file {PATH}: absent ->")
    (said,) = plan(cluster(vxlan_checksum_off=True, vni=7), "off")
    assert PATH in said


def test_undeclared_it_goes_again_with_an_undo() -> None:
    removed, switch = vxlan_checksum.plan("oslo-1", OFF, answers(OFF, "off", FILE))
    assert (removed.subject, removed.after) == (f"file {PATH}", "absent")
    assert (switch.before, switch.after) == ("off", "on")
    assert len(removed.undo) == len(removed.apply) == 2
    assert plan(OFF, "on", FILE) == [f"file {PATH}: {removed.before} -> absent"]


@pytest.mark.parametrize("kind", ["flannel_host_gw", "flannel_wireguard", "bgp"])
def test_another_network_has_no_such_link(kind: str) -> None:
    other = cluster(kind=kind, vxlan_checksum_off=True)
    assert plan(other, "") == []
    assert len(plan(other, "", FILE)) == 1  # what an earlier overlay has left


def test_the_answer_of_a_host() -> None:
    assert link_checksum.parse("on\n") is True
    assert link_checksum.parse("off\n") is False
    assert link_checksum.parse("absent\n") is None
    assert link_checksum.parse("unknown\n") is None
    with pytest.raises(ValueError, match="tx-checksum-ip-generic is ''"):
        link_checksum.parse("")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace")
def test_a_real_link_is_asked_and_set() -> None:
    ask = link_checksum.command("flannel.1").render()
    program = f"""
      mount -t sysfs none /sys
      {ask}
      ip link add flannel.1 type vxlan id 1 dstport 8472 dev lo
      {ask}
      ethtool -K flannel.1 tx-checksum-ip-generic off > /dev/null
      {ask}
    """
    argv = ["unshare", "--net", "--mount", "sh", "-ec", program]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split() == ["absent", "on", "off"]
