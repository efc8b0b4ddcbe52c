from __future__ import annotations

import os

import pytest

from rehearsal import packages
from tasks.drivers.errors import Denied
from tasks.operations.packages import NODE


def test_a_package_is_there_when_its_program_is() -> None:
    assert packages.missing({"coreutils": "ls", "libc": "/proc/self/status"}) == ()
    assert packages.missing({"nothing": "no-such-program", "none": "/no/such/file"}) == ("nothing", "none")


def test_who_is_not_root_gets_the_line_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Denied) as refused:
        packages.install(("haproxy", "knot"))
    assert refused.value.remedy == "run as root: apt-get install --no-install-recommends haproxy knot"


def test_nothing_missing_installs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    packages.install(())


def test_the_nodes_find_all_that_prepare_asks_for_in_their_overlay() -> None:
    """The rehearsal's nodes reach no mirror: what `prepare` would install must be on this machine."""
    assert set(NODE) <= set(packages.PACKAGES)
