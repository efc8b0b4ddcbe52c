from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from inventory.errors import BadInput
from rehearsal import parts
from rehearsal.parts_list import PARTS, PROGRAMS, Part
from tasks.drivers.errors import CommandFailed

TINY = Part("tiny", {"tiny": "."}, seconds=1)


class Said:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        self.texts.append(text)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "sources" / "tiny"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module safe-harbor.example/tiny\n\ngo 1.21\n")
    (folder / "main.go").write_text('package main\n\nfunc main() { println("here") }\n')
    monkeypatch.setattr(parts, "SOURCES", folder.parent)
    monkeypatch.setattr(parts.digest, "__defaults__", (folder.parent,))
    return folder


def test_every_part_has_its_folder_with_pinned_modules() -> None:
    for part in PARTS:
        folder = parts.SOURCES / part.folder
        assert (folder / "go.mod").is_file(), part.folder
        text = (folder / "go.mod").read_text()
        assert (folder / "go.sum").is_file() or "require" not in text, part.folder


def test_no_folder_is_left_out() -> None:
    assert {part.folder for part in PARTS} == {path.parent.name for path in parts.SOURCES.glob("*/go.mod")}


def test_only_flannel_needs_a_c_compiler() -> None:
    assert [part.folder for part in PARTS if part.cgo] == ["flannel"]


def test_kubernetes_tells_its_version() -> None:
    kubernetes = next(part for part in PARTS if part.folder == "kubernetes")
    words = parts.argv(kubernetes, "kubernetes", Path("/out"))
    assert words[:3] == ["go", "build", "-trimpath"]
    flags = words[words.index("-ldflags") + 1]
    for flag in ("gitVersion=v1.37.1", "gitMajor=1", "gitMinor=37"):
        assert f"-X k8s.io/component-base/version.{flag}" in flags
    assert words[-2:] == ["/out/kubernetes", "."]


def test_ready_parts_names_everything_that_is_missing(tmp_path: Path) -> None:
    for name in PROGRAMS[1:]:
        (tmp_path / name).touch(mode=0o755)
    (tmp_path / PROGRAMS[1]).chmod(0o644)
    with pytest.raises(BadInput) as refused:
        parts.ready(tmp_path)
    assert f"missing or not executable: {PROGRAMS[0]}, {PROGRAMS[1]};" in str(refused.value)


def test_ready_parts_takes_a_full_folder_and_refuses_none(tmp_path: Path) -> None:
    for name in PROGRAMS:
        (tmp_path / name).touch(mode=0o755)
    assert parts.ready(tmp_path) == tmp_path.resolve()
    with pytest.raises(BadInput, match="no such folder"):
        parts.ready(tmp_path / "none")


def test_the_digest_changes_with_sources_and_flags_only(sources: Path) -> None:
    before = parts.digest(TINY, sources.parent)
    (sources / "README").write_text("not built")
    (sources / "main_test.go").write_text("package main\n")
    assert parts.digest(TINY, sources.parent) == before
    assert parts.digest(dataclasses.replace(TINY, version_flags=("a.b=c",)), sources.parent) != before
    (sources / "main.go").write_text("package main\n\nfunc main() {}\n")
    assert parts.digest(TINY, sources.parent) != before


@pytest.mark.skipif(shutil.which("go") is None, reason="the parts are built with Go")
def test_a_second_build_builds_nothing(sources: Path, tmp_path: Path) -> None:
    said = Said()
    folder = parts.build(said, (TINY,), tmp_path / "cache")
    assert (folder / "tiny").stat().st_mode & 0o111
    assert said.texts[0] == "building tiny (part 1 of 1, the first time only, about 1 s)"
    again = Said()
    assert parts.build(again, (TINY,), tmp_path / "cache") == folder
    assert again.texts == []


@pytest.mark.skipif(shutil.which("go") is None, reason="the parts are built with Go")
def test_a_failed_build_shows_the_compiler_and_leaves_nothing(sources: Path, tmp_path: Path) -> None:
    (sources / "main.go").write_text("package main\n\nfunc main() { nowhere() }\n")
    with pytest.raises(CommandFailed) as failed:
        parts.build(Said(), (TINY,), tmp_path / "cache")
    assert "undefined: nowhere" in str(failed.value)
    assert "--parts DIR" in failed.value.remedy
    assert list((tmp_path / "cache").iterdir()) == []
