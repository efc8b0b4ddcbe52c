"""What `make check` leaves out: tests of real programs or whole reports, beside those marked one by one.

A slow moment of the machine is no counterexample: hypothesis judges answers, not their time.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
# A job that a script runs in the background ignores Ctrl-C, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent
LONGEST = ("upgrade", "deep")
SLOW = (
    "drivers",
    "survey",
    "move/test_bucket.py",
    "move/test_changeover.py",
    "move/test_database.py",
    "operations/test_network_plans.py",
    "replay/test_connecting.py",
    "replay/test_declared.py",
    "replay/test_engine.py",
    "replay/test_faults.py",
    "rehearsal/test_teardown.py",
    "replay/test_http2.py",
    "replay/test_http2_faults.py",
    "replay/test_http2_frames.py",
    "replay/test_processes.py",
    "replay/test_recorder.py",
    "replay/test_recording_at_edges.py",
    "replay/test_rounds.py",
    "replay/test_sessions.py",
    "replay/test_tls.py",
    "report/test_page.py",
    "replay/test_glance.py",
    "replay/test_server_timing.py",
    "replay/spread",
    "report/test_joined.py",
    "rehearsal/services",
    "rehearsal/test_customers.py",
    "rehearsal/test_parts_killed.py",
    "steps/test_approve_on_a_terminal.py",
    "steps/test_replay_page.py",
    "steps/test_replay_pilot.py",
    "networks/test_host_asked.py",
    "facts/test_together.py",
    "flows",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark them `slow`; leave the longest out unless they are asked for by name."""
    for longest in LONGEST:
        if longest in config.getoption("markexpr"):
            continue
        left_out = [item for item in items if item.get_closest_marker(longest) is not None]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    for item in items:
        place = item.path.relative_to(HERE).as_posix()
        if place.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
