"""Rows of a deep rehearsal: the slowest machine counts, and an emulated one is judged by no goal."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.bench_ready import rows

RESULTS: list[dict[str, Any]] = [
    {"name": "provision", "figures": {"usable_s": {"oslo-1": 20.0, "oslo-2": 22.5}}},
    {"name": "ready", "figures": {"ready_after_s": {"oslo-1": 50.0, "oslo-2": 54.0}}},
    {"name": "provision, again", "figures": {"usable_s": {}}},  # it found them there
]


@pytest.mark.parametrize(("emulated", "met"), [(False, True), (True, None)])
def test_the_slowest_machine_counts(emulated: bool, met: bool | None) -> None:
    usable, ready = rows(RESULTS, emulated=emulated)
    assert (usable.ours, ready.ours, ready.peer_value) == (22.5, 54.0, 55.0)
    assert ready.met is met
    assert ("TCG" in ready.how) is emulated
