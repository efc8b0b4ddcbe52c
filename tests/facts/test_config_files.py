"""Configuration files by the real program: odd names and contents, links, and what is no file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tasks.facts import config_files
from tasks.facts.config_files import ConfigFile


def test_paths_links_and_texts_come_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "sysctl.d"
    folder.mkdir()
    odd = folder / "1 a\tb\nc.conf"
    odd.write_text("first = 1\n\n\tlast")
    (folder / "2.conf").write_text("")
    (folder / "3.conf").symlink_to(odd)
    (folder / "4.conf").symlink_to("nowhere")
    (folder / "5.conf").mkdir()
    (tmp_path / "alias").symlink_to(folder)
    asked = config_files.ask((f"{tmp_path}/none/*.conf", f"{folder}/*.conf", f"{tmp_path}/alias/2.conf"))
    done = subprocess.run(["sh", "-c", asked.command.render()], capture_output=True, text=True, check=True)
    assert asked.parse(done.stdout) == (
        ConfigFile(str(odd), str(odd), odd.read_text()),
        ConfigFile(f"{folder}/2.conf", f"{folder}/2.conf", ""),
        ConfigFile(f"{folder}/3.conf", str(odd), odd.read_text()),
        ConfigFile(f"{tmp_path}/alias/2.conf", f"{folder}/2.conf", ""),
    )


def test_no_file_at_all_is_an_empty_answer() -> None:
    asked = config_files.ask(("/nonexistent/*.conf",))
    done = subprocess.run(["sh", "-c", asked.command.render()], capture_output=True, text=True, check=True)
    assert asked.parse(done.stdout) == ()
