"""Files and services: planned where they differ, and only there; a killed run heals."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inventory.models.change import PutFile, RemoveFile, Run
from tasks.facts import files as file_facts
from tasks.facts import units as unit_facts
from tasks.facts.files import FileFact
from tasks.facts.gather import Facts
from tasks.operations import files, units
from tasks.operations.files import Wanted
from tasks.operations.units import Service

FILE = Wanted("/etc/x", b"content", 0o600)
SERVICE = Service("x.service", "[Service]\nExecStart=/x\n", (FILE,), {"/opt/x": "0" * 64})


def fact(wanted: Wanted, **over: Any) -> FileFact:
    values = {"exists": True, "sha256": wanted.sha256, "mode": wanted.mode, **over}
    return FileFact(wanted.path, **values)


def test_a_file_as_wanted_is_left_alone() -> None:
    assert files.plan("oslo-1", {FILE.path: fact(FILE)}, [FILE], "why") == []


@pytest.mark.parametrize(
    "over", [{"mode": 0o644}, {"sha256": "0" * 64}, {"sha256": "", "link": "/elsewhere"}]
)
def test_a_file_that_differs_is_kept_before_it_is_replaced(over: dict[str, Any]) -> None:
    (change,) = files.plan("oslo-1", {FILE.path: fact(FILE, **over)}, [FILE], "why")
    keep, put = change.apply
    assert isinstance(keep, Run)
    assert put == PutFile("/etc/x", b"content", 0o600)
    assert isinstance(change.undo[0], Run)


def test_a_new_file_is_removed_by_undo_and_its_content_never_shown() -> None:
    (change,) = files.plan("oslo-1", {FILE.path: FileFact(FILE.path, exists=False)}, [FILE], "why")
    assert change.apply == (PutFile("/etc/x", b"content", 0o600),)
    assert change.undo == (RemoveFile("/etc/x"),)
    assert "content" not in repr(change)


def test_keeping_and_restoring_by_a_real_shell(tmp_path: Path) -> None:
    path, kept = tmp_path / "a b", tmp_path / "kept" / "a b"
    path.write_text("original")
    path.chmod(0o640)
    wanted = Wanted(str(path), b"ours")
    (change,) = files.plan("h", {str(path): FileFact(str(path), exists=True, sha256="0" * 64)}, [wanted], "w")
    keep, back = change.apply[0], change.undo[0]
    assert isinstance(keep, Run)
    assert isinstance(back, Run)

    def run(action: Run) -> None:
        text = action.command.render().replace("/var/lib/safe-harbor/before" + str(path), str(kept))
        subprocess.run(["sh", "-c", text], check=True)

    run(keep)
    path.write_text("ours")
    run(keep)  # a second run must not take ours for the original
    path.chmod(0o600)
    run(back)
    assert path.read_text() == "original"
    assert path.stat().st_mode & 0o777 == 0o640


def facts(
    service: Service,
    *,
    stamped: bool = True,
    active: bool = True,
    enabled: str = "enabled",
    program: str = "/opt/x",
) -> Facts:
    asked, unit = units.asked(service)
    lines = [f"{file.path}\tfile\t{file.sha256}\t{file.mode:o}" for file in service.wanted]
    stamp = service.stamp
    lines.append(f"{stamp.path}\tfile\t{stamp.sha256}\t644" if stamped else f"{stamp.path}\tmissing\t\t")
    state = "active" if active else "inactive"
    shown = (
        f"Id={service.unit}\nLoadState=loaded\nActiveState={state}\nSubState=running\n"
        f"UnitFileState={enabled}\nNeedDaemonReload=no\nNRestarts=0\nMainPID=7\n"
        f"Program={program}\n"
    )
    return Facts("oslo-1", {asked.command.render(): "\n".join(lines), unit.command.render(): shown})


def subjects(service: Service, **state: Any) -> list[str]:
    return [change.subject for change in units.plan("oslo-1", facts(service, **state), service, "why")]


def test_a_service_as_wanted_is_left_alone() -> None:
    assert subjects(SERVICE) == []


@pytest.mark.parametrize("state", [{"stamped": False}, {"active": False}, {"enabled": "disabled"}])
def test_a_service_is_restarted_where_anything_is_amiss(state: dict[str, Any]) -> None:
    assert subjects(SERVICE, **state) == ["service x.service"]


def test_a_kill_between_file_and_restart_heals() -> None:
    """The files are new, the stamp is the old inputs': the service still runs with those."""
    old = Service(SERVICE.unit, SERVICE.text, (Wanted("/etc/x", b"old", 0o600),), SERVICE.programs)
    here = facts(SERVICE, stamped=True)
    before = {
        key: value.replace(SERVICE.stamp.sha256, old.stamp.sha256) for key, value in here.answers.items()
    }
    changes = units.plan("oslo-1", Facts("oslo-1", before), SERVICE, "why")
    assert [change.subject for change in changes] == ["service x.service"]
    assert isinstance(changes[0].apply[-1], PutFile)  # the stamp comes after the restart
    assert changes[0].apply[-1].path == SERVICE.stamp.path


def test_a_new_program_restarts_its_service() -> None:
    newer = Service(SERVICE.unit, SERVICE.text, SERVICE.files, {"/opt/x": "1" * 64})
    assert newer.stamp.sha256 != SERVICE.stamp.sha256


def test_a_service_that_follows_its_program_is_restarted_where_the_file_is_another_one() -> None:
    replaced = "/opt/x (deleted)"
    assert subjects(SERVICE, program=replaced) == [], "a package restarts its own services"
    following = replace(SERVICE, follows_program=True)
    assert subjects(following) == []
    assert subjects(following, program=replaced) == ["service x.service"]


def test_a_service_that_another_starts_is_not_restarted_for_being_down() -> None:
    kubelet = Service("kubelet.service", "[Service]\n", (), {}, starts=False)
    assert subjects(kubelet, active=False) == []
    assert subjects(kubelet, active=False, stamped=False) == ["service kubelet.service"]


def test_the_facts_are_those_of_the_rooms() -> None:
    asked, unit = units.asked(SERVICE)
    assert asked == file_facts.ask(files.paths((*SERVICE.wanted, SERVICE.stamp)))
    assert unit == unit_facts.ask(("x.service",))
