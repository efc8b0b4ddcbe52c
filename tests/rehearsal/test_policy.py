"""policy-rc.d: ours while packages are installed, gone afterwards, also after a kill; others' stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal import packages, policy, site, teardown
from tasks.drivers.errors import CommandFailed
from tests.rehearsal.scratch import scratch_plan
from tests.site.trial import Quiet

THEIRS = "#!/bin/sh\nexit 101\n"  # as in images of containers


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "policy-rc.d"
    monkeypatch.setattr(policy, "FILE", made)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return made


def test_it_forbids_daemons_during_the_block_only(file: Path) -> None:
    with policy.no_daemons():
        assert subprocess.run([file, "ssh", "start"], check=False).returncode == 101
    assert not file.exists()


def test_an_error_takes_it_away(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: str) -> None:
        assert file.exists()
        raise CommandFailed("apt-get", "no network")

    monkeypatch.setattr(packages, "_apt", fails)
    monkeypatch.setattr(packages.shutil, "which", lambda *_, **__: "/usr/bin/apt-get")
    with pytest.raises(CommandFailed):
        packages.install(("knot",))
    assert not file.exists()


def test_one_of_somebody_elses_stays(file: Path) -> None:
    file.write_text(THEIRS)
    with policy.no_daemons():
        assert file.read_text() == THEIRS
    assert file.read_text() == THEIRS
    assert policy.remove_left() is False


def test_one_that_is_in_use_is_no_leftover(file: Path) -> None:
    with policy.no_daemons():
        packages.install(())
        assert policy.remove_left() is False
        assert file.exists()


@pytest.fixture
def killed(file: Path) -> None:
    """A run was killed while it installed packages."""
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom rehearsal import policy\n"
        "policy.FILE = Path(sys.argv[1])\nwith policy.no_daemons():\n    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, file], check=False)
    assert (done.returncode, file.exists()) == (-9, True)


@pytest.mark.usefixtures("killed")
def test_the_next_installation_takes_away_what_a_killed_one_left(file: Path) -> None:
    with policy.no_daemons():
        assert file.exists()
    assert not file.exists()


@pytest.mark.usefixtures("killed")
def test_also_where_nothing_is_missing_any_more(file: Path) -> None:
    packages.install(())
    assert not file.exists()


@pytest.mark.usefixtures("killed")
def test_down_removes_it_and_says_so(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teardown, "down", lambda *_: [])  # this machine may have a trial site up
    plan = scratch_plan(tmp_path / "state")
    assert site.down(Quiet(), plan) == [f"file {file}"]
    assert site.down(Quiet(), plan) == []
