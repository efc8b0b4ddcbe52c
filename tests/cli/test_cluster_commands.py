"""etcd's commands and the upgrade: what is refused before anything is begun, and that a restore asks."""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.cli import cluster
from tests.cli.conftest import Command, untouched
from tests.inventory.sites import whole


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return whole(tmp_path / "site")


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    path = tmp_path / "saved.db"
    database = b"x" * 1024
    path.write_bytes(database + hashlib.sha256(database).digest())
    path.chmod(0o600)
    return path


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been run."""
    made: list[dict[str, Any]] = []

    def run(name: str, site: str, options: object, **more: Any) -> int:
        made.append({"name": name, **more})
        return 0

    monkeypatch.setattr(cluster, "run_stage", run)
    return made


def test_a_backup_overwrites_nothing(
    command: Command, site: Path, snapshot: Path, begun: list[dict[str, Any]]
) -> None:
    with untouched(snapshot.parent):
        said = command("etcd", "backup", site, "--out", snapshot)
    assert (said.code, begun) == (2, [])
    assert f"{snapshot}: is there already" in said.err
    said = command("etcd", "backup", site, "--out", snapshot.parent / "nowhere" / "x.db")
    assert (said.code, begun) == (2, [])
    assert "there is no such folder" in said.err


@pytest.mark.parametrize("words", [(), ("--yes",), ("--dry-run",)])
def test_a_damaged_snapshot_is_refused_whatever_is_answered(
    command: Command, site: Path, snapshot: Path, begun: list[dict[str, Any]], words: tuple[str, ...]
) -> None:
    content = bytearray(snapshot.read_bytes())
    content[7] ^= 1
    snapshot.write_bytes(content)
    with untouched(snapshot.parent):
        said = command("etcd", "restore", site, "--from", snapshot, *words)
    assert (said.code, begun) == (2, [])
    assert "is damaged" in said.err


def test_without_a_terminal_nobody_is_asked(
    command: Command, site: Path, snapshot: Path, begun: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("oslo\n"))
    said = command("etcd", "restore", site, "--from", snapshot)
    assert (said.code, begun) == (2, [])
    assert "--yes answers beforehand" in said.err
    assert command("etcd", "restore", site, "--from", snapshot, "--yes").code == 0
    assert command("etcd", "restore", site, "--from", snapshot, "--dry-run").code == 0
    assert [each["action"] for each in begun] == ["restore", "restore"]


class Answers(io.StringIO):
    """A person at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("oslo", 0), ("", 2), ("yes", 2), ("OSLO", 2)])
def test_a_restore_asks_for_the_clusters_name(
    command: Command,
    site: Path,
    snapshot: Path,
    begun: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
) -> None:
    monkeypatch.setattr(sys, "stdin", Answers(f"{answer}\n"))
    said = command("etcd", "restore", site, "--from", snapshot)
    assert said.code == code
    assert "is lost" in said.err
    assert len(begun) == (code == 0)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--to", "latest"), "--to: 'latest' is no version (allowed: such as 1.37.1)"),
        (("--to", "1.38"), "--to: '1.38' is no version"),
        (
            ("--to", "1.38.0", "--programs", "/nowhere/at/all"),
            "/nowhere/at/all: --programs: there is no such folder",
        ),
    ],
)
def test_an_upgrade_to_nowhere_is_refused(
    command: Command, site: Path, begun: list[dict[str, Any]], words: tuple[str, ...], why: str
) -> None:
    said = command("upgrade", site, *words)
    assert (said.code, begun) == (2, [])
    assert why in said.err


def test_an_upgrade_is_given_its_programs(
    command: Command, site: Path, tmp_path: Path, begun: list[dict[str, Any]]
) -> None:
    assert command("upgrade", site, "--to", "v1.38.0", "--programs", tmp_path).code == 0
    assert begun == [{"name": "upgrade", "to": "v1.38.0", "programs": str(tmp_path)}]
