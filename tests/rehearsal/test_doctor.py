from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flows import orchestrator
from rehearsal import deep, doctor, packages, teardown
from rehearsal.cluster_source import host_facts
from rehearsal.doctor import Level, Observation
from tests.rehearsal.scratch import scratch_plan


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ("go version go1.26.8 linux/amd64", Level.OK),
        ("go version go1.30 linux/arm64", Level.OK),
        ("go version go1.22.1 linux/amd64", Level.WARN),
        ("go version go1.19.8 linux/amd64", Level.FAIL),
        ("", Level.FAIL),
    ],
)
def test_go_is_judged_by_its_release(said: str, level: Level) -> None:
    found = doctor._judged_go(said)
    assert found.level == level
    assert (level == Level.OK) == (found.remedy == "")


@pytest.mark.parametrize(("kib", "level"), [(16 << 20, "ok"), (4 << 20, "warn"), (1 << 20, "fail")])
def test_memory_is_judged_by_what_is_free(kib: int, level: str) -> None:
    assert doctor._memory(f"MemTotal: 99999999 kB\nMemAvailable:  {kib} kB\n").level == level


@pytest.mark.parametrize(("limit", "used", "level"), [(128, 0, "ok"), (128, 40, "fail"), (8192, 900, "ok")])
def test_inotify_instances_must_suffice(limit: int, used: int, level: str) -> None:
    found = doctor._judged_inotify(limit, used, 6)
    assert found.level == level
    assert (f"{used} of {limit}") in found.observed
    assert (level == "ok") == (found.remedy == "")


def test_a_trial_that_hangs_is_bounded() -> None:
    def hanging(argv: list[str], **given: Any) -> subprocess.CompletedProcess[str]:
        assert given["timeout"] <= 5
        raise subprocess.TimeoutExpired(argv, given["timeout"])

    assert doctor.run_trial("sleep 1000", hanging) == "no answer in 5 s"


def test_a_trial_tells_its_last_line() -> None:
    def refusing(argv: list[str], **given: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(argv, 2, "", "first\nRTNETLINK answers: Operation not supported\n")

    assert doctor.run_trial("ip link add", refusing) == "RTNETLINK answers: Operation not supported"


def test_the_document_has_the_worst_level() -> None:
    found = [Observation("a", Level.OK, "x"), Observation("b", Level.WARN, "y", "z")]
    document = doctor.as_json(found)
    assert document["level"] == "warn"
    assert document["observations"] == [
        {"name": "a", "level": "ok", "observed": "x", "remedy": ""},
        {"name": "b", "level": "warn", "observed": "y", "remedy": "z"},
    ]


def test_a_split_usr_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    assert doctor._merged_usr(tmp_path).level == Level.FAIL


@pytest.mark.parametrize(("bounding", "held"), [("000001ffffffffff", True), ("000001fffeffffff", False)])
def test_the_right_to_raise_limits_is_read_from_the_bounding_set(bounding: str, held: bool) -> None:
    assert host_facts(f"Name:\tx\nCapBnd:\t{bounding}\n").may_raise_limits is held


def named(found: list[Observation], name: str) -> Observation:
    return next(each for each in found if each.name == name)


def test_what_lacks_only_its_program_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a bare Debian the packages bring `ip` and `iptables`: what they will show is not known yet."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages, "there", lambda program: program not in ("ip", "iptables"))
    monkeypatch.setattr(packages, "may_install", lambda: True)
    monkeypatch.setattr(
        doctor, "run_trial", lambda script: "" if script.startswith("mount") else "no such file"
    )
    monkeypatch.setattr(teardown, "present", lambda plan: False)
    found = doctor.examine(will_build=False)
    for name in ("vxlan", "iptables nat", "addresses"):
        seen = named(found, name)
        program = "iptables" if name == "iptables nat" else "ip"
        assert (seen.level, seen.observed) == (Level.WARN, f"not tried: {program} is missing")
    assert named(found, "overlay file systems").level == Level.OK
    assert named(found, "packages").level == Level.WARN


def test_what_the_kernel_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages, "there", lambda program: True)
    monkeypatch.setattr(doctor, "run_trial", lambda script: "not supported" if "vxlan" in script else "")
    assert named(doctor.examine(will_build=False), "vxlan").level == Level.FAIL


@pytest.mark.parametrize(("root", "level"), [(True, Level.WARN), (False, Level.FAIL)])
def test_missing_packages_are_refused_only_to_who_may_not_install_them(
    root: bool, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "may_install", lambda: root)
    monkeypatch.setattr(packages, "there", lambda program: program != "debootstrap")
    found = doctor._packages(packages.wanted(build=False, deep=bool(deep.plan().kvm_hosts)))
    assert found.level == level
    assert found.remedy.endswith("apt-get install --no-install-recommends debootstrap")
    assert doctor._packages(packages.wanted(build=False)).level == Level.OK


def test_a_port_that_is_taken_is_named_with_who_holds_it() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        number = holder.getsockname()[1]
        taken = doctor.port(number)
    assert taken.level == Level.WARN, "the server takes another one"
    assert f"127.0.0.1:{number}: Address already in use" in taken.observed
    assert f"ss -ltnp 'sport = :{number}'" in taken.remedy
    assert doctor.port(number).level == Level.OK


def test_it_looks_at_the_port_that_the_orchestrator_takes() -> None:
    assert orchestrator.DEFAULT_PORT == doctor.PREFECT_PORT
    assert named(doctor.examine(will_build=False), f"port {doctor.PREFECT_PORT}").observed


def test_a_site_is_seen_by_who_may_not_read_its_record(tmp_path: Path) -> None:
    """Its record is root's alone: the doctor of any other user ended in a traceback."""
    plan = scratch_plan(tmp_path / "state")
    plan.state.mkdir(mode=0o711)
    (plan.state / "state.json").write_text("not to be read")
    assert teardown.present(plan)
    assert named(doctor.examine(plan, will_build=False), "rehearsal").level == Level.WARN
