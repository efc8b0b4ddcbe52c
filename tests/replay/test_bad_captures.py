"""Captures that are none: binary junk, nothing at all, a clock that has jumped."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inventory.errors import BadInput
from tasks.replay.capture import read_capture
from tasks.replay.formats.catalog import FORMATS
from tasks.replay.plan import as_captured, at_rate

JUNK = np.random.default_rng(5).bytes(1 << 18)
NAMES = [each.name for each in FORMATS]


@pytest.mark.parametrize("form", ["", *NAMES])
def test_binary_junk_is_told_with_its_line(tmp_path: Path, form: str) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(JUNK)
    with pytest.raises(BadInput, match=r"a\.log:\d+: ."):
        read_capture(log, form=form)
    with pytest.raises(BadInput, match="no line of the capture can be replayed"):
        read_capture(log, max_bad=1 << 20, form=form)


@pytest.mark.parametrize(
    ("begin", "what"),
    [(b"\x1f\x8b\x08\0", "the gzip file is broken"), (b"\x28\xb5\x2f\xfd", "the zstd file is ")],
)
def test_junk_that_begins_like_a_packed_file(tmp_path: Path, begin: bytes, what: str) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(begin + JUNK)
    with pytest.raises(BadInput, match=what):
        read_capture(log)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("form", ["", *(name for name in NAMES if name != "har")])
def test_no_lines(tmp_path: Path, pack: Callable[[bytes], bytes], form: str) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(pack(b"\n"))
    with pytest.raises(BadInput, match="no line of the capture can be replayed; GET and HEAD are"):
        read_capture(log, form=form)


def jumping(folder: Path, *years: int) -> Path:
    log = folder / "a.log"
    log.write_text(
        "".join(f'a - - [04/Oct/{year}:13:55:36 +0200] "GET / HTTP/1.1" 200 5 "-" "-"\n' for year in years)
    )
    return log


@pytest.mark.parametrize("years", [(2025, 2026), (2026, 2025)], ids=["forth", "back"])
def test_a_clock_that_jumps_is_not_waited_for(tmp_path: Path, years: tuple[int, int]) -> None:
    capture = read_capture(jumping(tmp_path, *years))
    assert capture.longest_gap_s == 365 * 86400
    with pytest.raises(
        BadInput,
        match=r"a\.log: 0 s after its begin nothing is due for 3\.1536e\+07 s; has the clock jumped\? ",
    ):
        as_captured(capture)
    assert len(as_captured(capture, duration_s=10)) == 1
    assert len(as_captured(capture, speed=1e5)) == 2
    assert at_rate(capture, 1).due_s[-1] == 1.0
