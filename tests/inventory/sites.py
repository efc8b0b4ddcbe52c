"""Makes site folders for tests: the whole site, or one that is wrong in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.load import load_site

WHOLE = Path(__file__).resolve().parents[1] / "data" / "sites" / "whole.yaml"


def folder_with(folder: Path, text: str) -> Path:
    """A site file of this text, with the two files that the whole site names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plain").write_text("x\n")
    secret = folder / "secret"
    secret.write_text("hidden\n")
    secret.chmod(0o600)
    file = folder / "site.yaml"
    file.write_text(text)
    return file


def whole(folder: Path) -> Path:
    """The site file that is right."""
    return folder_with(folder, WHOLE.read_text())


def changed(folder: Path, old: str, new: str) -> Path:
    """The whole site with one replacement, which must have taken place exactly once."""
    text = WHOLE.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {WHOLE}"
    return folder_with(folder, text.replace(old, new))


def refusal(file: Path) -> str:
    """The message with which the file is refused, its folder left out; and that nothing was touched."""
    before = snapshot(file.parent)
    with pytest.raises(BadInput) as refused:
        load_site(file)
    assert snapshot(file.parent) == before, "a refused site file must leave its folder as it was"
    return str(refused.value).replace(f"{file.parent}/", "")


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below the folder: its mode and content."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_mode, path.read_bytes()) for path in files}
