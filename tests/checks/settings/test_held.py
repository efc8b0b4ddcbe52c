"""TUN-HELD: what holds, what does not and who overrides it, what a host cannot have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from inventory.models.command import Script, Shellable
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import Admission
from tasks.checks.settings import held
from tasks.drivers.errors import HostUnreachable
from tasks.drivers.ports import Output
from tasks.facts import before, config_files
from tasks.facts.modules import State
from tasks.operations import conflicts, settings
from tests.operations.machine import Machine, prepare
from tests.operations.places import preparation, site

READY = preparation()
NODE = READY.site.target.nodes[0]


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a check does not sleep")


@dataclass
class Shown:
    """A machine that can only be asked."""

    machine: Machine
    name: str = "oslo-1"
    others: str = ""  # what the question about configuration files answers

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        assert isinstance(command, Script)
        marker, *questions = (str(word) for word in command.arguments)
        files = config_files.ask(conflicts.sources(READY.profile))
        asked = {each.command.render(): each for each in settings.asked(READY, NODE)}
        text = ""
        for number, question in enumerate(questions):
            answer = self.others
            if question != files.command.render():
                answer = self.machine.facts([asked[question]]).answers[question]
            text += f"\n{marker} begin {number}\n{answer}\n{marker} end {number} 0\n"
        return Output(0, text, "", 0.0)


def fresh() -> Machine:
    machine = Machine(modules=dict.fromkeys(READY.profile.modules, State.PRESENT), folders={"/etc"})
    machine.sysctls = dict.fromkeys(READY.profile.keys, ("0", True))
    machine.parameters = {"nf_conntrack.hashsize": ("1024", True)}
    return machine


def judged(host: Any) -> Finding:
    (found,) = held.run(Admission(site(), {"oslo-1": host}, Clock()))
    return found


def test_before_prepare_it_fails_and_afterwards_holds_over_a_boot() -> None:
    host = Shown(fresh())
    assert judged(host).verdict is Verdict.FAIL
    assert "sysctl net.ipv4.ip_forward is 0, not 1" in judged(host).observed
    prepare(host.machine, READY, NODE)
    count = len(READY.profile.identities)
    assert (
        judged(host).observed == f"all {count} settings of article-2016 hold (not booted since they were set)"
    )
    host.machine.boot = "boot-2"
    assert judged(host).observed == f"all {count} settings of article-2016 hold (booted since they were set)"
    assert judged(host).verdict is Verdict.PASS


def test_a_value_that_the_boot_lost_names_who_overrides_it() -> None:
    host = Shown(fresh())
    prepare(host.machine, READY, NODE)
    host.machine.sysctls["net.ipv4.ip_forward"] = ("0", True)
    # /etc/sysctl.d/99-x.conf: net.ipv4.ip_forward=0
    host.others = (
        "L2V0Yy9zeXNjdGwuZC85OS14LmNvbmYA\nL2V0Yy9zeXNjdGwuZC85OS14LmNvbmYA\nbmV0LmlwdjQuaXBfZm9yd2FyZD0w\n"
    )
    found = judged(host)
    assert found.verdict is Verdict.FAIL
    assert found.observed == (
        "sysctl net.ipv4.ip_forward is 0, not 1; /etc/sysctl.d/99-x.conf:1 sets net.ipv4.ip_forward = 0, "
        "and is read after /etc/sysctl.d/90-safe-harbor.conf"
    )
    assert found.remedy == "take out what overrides it; then run prepare"


def test_what_a_container_cannot_have_is_said_and_never_passes_as_held() -> None:
    host = Shown(fresh())
    host.machine.sysctls["net.netfilter.nf_conntrack_max"] = ("65536", False)
    del host.machine.sysctls["net.ipv4.neigh.default.gc_thresh1"]
    host.machine.parameters["nf_conntrack.hashsize"] = ("1024", False)
    prepare(host.machine, READY, NODE)
    found = judged(host)
    assert found.verdict is Verdict.WARN
    for what in (
        "net.netfilter.nf_conntrack_max is 65536 and read-only",
        "net.ipv4.neigh.default.gc_thresh1 is missing",
        "nf_conntrack.hashsize is 1024 and read-only",
    ):
        assert what in found.observed


def test_a_host_that_is_silent_is_an_error() -> None:
    class Dead:
        name = "oslo-1"

        def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
            raise HostUnreachable(self.name, "no route")

    assert judged(Dead()).verdict is Verdict.ERROR


@pytest.mark.parametrize("boot", ["", "x"])
def test_without_a_record_nothing_is_claimed_of_a_boot(boot: str) -> None:
    assert held.since(boot, before.Record()) == "there is no record of a change"
