"""Before a site is built: what the doctor refuses, when, and what packages will mend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inventory.errors import BadInput
from rehearsal import deep, doctor, packages, parts, site
from rehearsal.doctor import Level, Observation
from rehearsal.plan import Plan
from rehearsal.site import AlreadyUp, claim
from rehearsal.state import State
from tasks.drivers.errors import Denied
from tests.rehearsal.scratch import scratch_plan
from tests.site.trial import Quiet

MEND = Observation("vxlan", Level.WARN, "not tried: ip is missing", "look again")


class Machine:
    """What the doctor sees before and after the packages, and what was done."""

    def __init__(self) -> None:
        self.before: list[Observation] = []
        self.after: list[Observation] = []
        self.lacking: tuple[str, ...] = ()
        self.done: list[str] = []

    def examine(self, plan: Plan, *, will_build: bool) -> list[Observation]:
        self.done.append("doctor")
        return self.before if self.lacking else self.after

    def install(self, names: tuple[str, ...], say: object) -> None:
        self.done.append(f"install {' '.join(names)}")
        self.lacking = ()

    def build(self, steps: object) -> Path:
        self.done.append("build")
        return Path("/programs")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(doctor, "examine", made.examine)
    monkeypatch.setattr(packages, "missing", lambda wanted: made.lacking)
    monkeypatch.setattr(packages, "install", made.install)
    monkeypatch.setattr(parts, "build", made.build)
    return made


def test_the_doctor_refuses_before_packages_are_installed(machine: Machine) -> None:
    machine.lacking = ("knot",)
    machine.before = [MEND, Observation("memory", Level.FAIL, "1.0 GiB free", "6 GiB are wanted")]
    with pytest.raises(Denied) as refused:
        site.prepare(Quiet())
    assert machine.done == ["doctor"]
    assert "memory: 1.0 GiB free -> 6 GiB are wanted" in str(refused.value)
    assert "vxlan" not in str(refused.value), "the packages will mend it"


def test_what_the_packages_show_is_looked_at_before_the_build(machine: Machine) -> None:
    machine.lacking = ("iproute2", "knot")
    machine.before = [MEND]
    machine.after = [Observation("vxlan", Level.FAIL, "not supported", "this kernel lacks it")]
    with pytest.raises(Denied, match="vxlan: not supported"):
        site.prepare(Quiet())
    assert machine.done == ["doctor", "install iproute2 knot", "doctor"]


def test_a_good_machine_is_looked_at_once(machine: Machine) -> None:
    assert site.prepare(Quiet()) == Path("/programs")
    assert machine.done == ["doctor", "install ", "build"]


def test_ready_parts_that_are_none_are_refused_before_anything(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="missing or not executable"):
        site.prepare(Quiet(), tmp_path)
    assert machine.done == []


@pytest.mark.parametrize("plan", [Plan(), deep.plan()], ids=["containers", "deep"])
def test_who_is_not_root_gets_the_list_and_the_line_to_run(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(packages, "there", lambda program: program not in ("knotd", "debootstrap"))
    with pytest.raises(Denied) as refused:
        site.prepare(Quiet(), plan=plan)
    lines = [line.strip() for line in str(refused.value).splitlines()]
    assert "root: user id 1000 -> run it as root: sudo safe-harbor rehearse" in lines
    wanted = "knot debootstrap" if plan.kvm_hosts else "knot"
    (packages_line,) = [line for line in lines if line.startswith("packages:")]
    assert packages_line.endswith(f"-> run as root: apt-get install --no-install-recommends {wanted}")


def test_of_two_that_begin_at_once_one_is_refused(tmp_path: Path) -> None:
    plan = scratch_plan(tmp_path / "state")
    claim(plan)
    with pytest.raises(AlreadyUp, match="another one is just starting"):
        claim(plan)
    assert State(plan).file.exists()
