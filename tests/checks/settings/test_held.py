"""TUN-HELD: what holds, what does not and who overrides it, what a host cannot have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inventory.models.command import Script, Shellable
from inventory.models.finding import Finding
from inventory.models.tuning import HostSize, UnitSetting
from inventory.models.verdict import Verdict
from inventory.profile_files import load_profile
from tasks.checks.context import Admission
from tasks.checks.settings import held
from tasks.drivers.errors import HostUnreachable
from tasks.drivers.ports import Output
from tasks.facts import before, config_files, process_limits
from tasks.facts.modules import State
from tasks.operations import conflicts, limits, settings
from tests.operations.machine import Machine, prepare
from tests.operations.places import preparation, site

DATA = Path(__file__).parents[2] / "data" / "facts"
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
    running: str = "@nr_open 1048576\n"  # ... and the one about running services

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        assert isinstance(command, Script)
        marker, *questions = (str(word) for word in command.arguments)
        files = config_files.ask(conflicts.sources(READY.profile))
        running = process_limits.ask(sorted({each.unit for each in READY.profile.units}))
        asked = {each.command.render(): each for each in settings.asked(READY, NODE)}
        text = ""
        for number, question in enumerate(questions):
            answer = self.others
            if question == running.command.render():
                answer = self.running
            elif question != files.command.render():
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


RECORDED = (DATA / "process_limits.machine.txt").read_text()
SIZE = HostSize(4, 8 << 20, 110, 3)


def outrun(text: str, profile: str = "web", **law: Any) -> list[str]:
    found = load_profile(profile)
    if law:
        given = {"unit": "containerd.service", "name": "LimitNOFILE", "why": "a test", "source": "a test"}
        found = found.model_copy(update={"units": (UnitSetting.model_validate({**given, **law}),)})
    return [f"{each.unit} {value}" for each, value in limits.outrun(found, SIZE, process_limits.parse(text))]


def test_a_service_that_is_older_than_its_drop_in_is_named() -> None:
    profile = load_profile("web")
    assert outrun(RECORDED) == []  # containerd has what it asks for, kubelet what it gives itself
    old = RECORDED.replace("1048576              1048576 ", "1024                 524288  ")
    assert outrun(old) == ["containerd.service 1024 (at most 524288)"]
    found = held.judge(
        profile, (), (), (), "booted", list(limits.outrun(profile, SIZE, process_limits.parse(old)))
    )
    assert found.verdict is Verdict.FAIL
    assert found.observed == "containerd.service runs with LimitNOFILE 1024 (at most 524288)"
    assert "systemctl restart containerd.service" in found.remedy
    assert outrun("@nr_open 1048576\n@unit containerd.service\n@unit kubelet.service\n") == []


def test_a_kubelet_with_fewer_files_than_its_own_default_is_named() -> None:
    few = RECORDED.replace("1000000              1000000 ", "65536                65536   ")
    assert outrun(few) == ["kubelet.service 65536"]


@pytest.mark.parametrize(
    ("law", "text", "named"),
    [
        ({"exact": "infinity"}, RECORDED, True),  # the kernel's most is larger
        ({"exact": "infinity"}, RECORDED.replace("@nr_open 1073741816", "@nr_open 1048576"), False),
        ({"exact": "4096"}, RECORDED, True),
        ({"exact": "1048576"}, RECORDED, False),
        ({"name": "LimitNPROC", "floor": 65536}, RECORDED, False),  # unlimited
        ({"name": "LimitMEMLOCK", "floor": 1 << 30}, RECORDED, True),
        ({"name": "TasksMax", "floor": 1 << 30}, RECORDED, False),
    ],
)
def test_each_law_against_what_runs(law: dict[str, Any], text: str, *, named: bool) -> None:
    assert bool(outrun(text, **law)) is named


def test_what_is_no_list_of_limits_is_unreadable() -> None:
    for text in ("", "bash: systemctl: not found", "@nr_open 5\nMax open files  1 1 files"):
        with pytest.raises(ValueError, match="limits of"):
            process_limits.parse(text)


def test_a_host_that_is_silent_is_an_error() -> None:
    class Dead:
        name = "oslo-1"

        def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
            raise HostUnreachable(self.name, "no route")

    assert judged(Dead()).verdict is Verdict.ERROR


@pytest.mark.parametrize("boot", ["", "x"])
def test_without_a_record_nothing_is_claimed_of_a_boot(boot: str) -> None:
    assert held.since(boot, before.Record()) == "there is no record of a change"
