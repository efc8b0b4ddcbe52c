"""The programs that perl runs on a host need no more than perl-base, which alone is essential in Debian."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from rehearsal.matrix.faults import neighbour_flood
from tasks.facts import address_claims, foreign_source

# Where only perl-base's own folder is searched, a module of the package perl is not found.
_ONLY_BASE = "BEGIN { @INC = grep { m{/perl-base$} } @INC }\n"
_PROGRAMS = {
    "claims": address_claims._PROBE,
    "ear": foreign_source._NOW + foreign_source._EAR,
    "mouth": foreign_source._NOW + foreign_source._MOUTH,
    "flood": neighbour_flood._ASK,
}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("dpkg") is None, reason="another system's perl is not parted so")
@pytest.mark.parametrize("name", _PROGRAMS)
def test_perl_base_is_enough(name: str) -> None:
    argv = ["perl", "-c", "-e", _ONLY_BASE + _PROGRAMS[name]]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
