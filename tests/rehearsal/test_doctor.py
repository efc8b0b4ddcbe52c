from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from rehearsal import doctor
from rehearsal.cluster_source import host_facts
from rehearsal.doctor import Level, Observation


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
