"""The rules that userspace mode left are removed from a kernel that has them, and others stay."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory.models.change import Run
from tasks.facts import iptables
from tasks.operations.kube_proxy import plan_userspace_removal

pytestmark = [pytest.mark.site]
NETNS = "sht-userspace"
DATA = Path(__file__).parents[1] / "data" / "dataplane"
OTHERS = "*nat\n:OURS - [0:0]\n-A PREROUTING -p tcp -j OURS\nCOMMIT\n"


def inside(*argv: str, given: str = "") -> str:
    words = ["ip", "netns", "exec", NETNS, *argv]
    return subprocess.run(words, input=given, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.fixture
def netns() -> Iterator[None]:
    subprocess.run(["ip", "netns", "add", NETNS], check=True)
    yield
    subprocess.run(["ip", "netns", "del", NETNS], check=True)


@pytest.mark.usefixtures("netns")
def test_they_are_removed_and_a_repeat_plans_nothing() -> None:
    inside("iptables-restore", given=(DATA / "iptables-userspace.txt").read_text())
    inside("iptables-restore", "--noflush", given=OTHERS)
    (change,) = plan_userspace_removal("oslo-1", iptables.parse(inside("iptables-save")))
    (remove,) = change.apply
    assert isinstance(remove, Run)
    inside("sh", "-c", remove.command.render())
    after = iptables.parse(inside("iptables-save"))
    assert plan_userspace_removal("oslo-1", after) == []
    assert after.jumps("nat", "PREROUTING") == ("OURS",)
    assert after.jumps("filter", "INPUT") == ()
