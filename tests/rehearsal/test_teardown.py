from __future__ import annotations

from pathlib import Path

from rehearsal.state import State
from rehearsal.teardown import down, mounts_below
from tests.rehearsal.scratch import scratch_plan

MOUNTINFO = """\
23 1 254:0 / / rw,relatime - ext4 /dev/vda rw
98 23 0:50 / /var/lib/x/nodes/a/root/usr rw,relatime - overlay overlay rw
99 23 0:51 / /var/lib/x/nodes/a/root/usr/deeper\\040one rw,relatime - tmpfs t rw
97 23 0:52 / /var/lib/xy rw,relatime - tmpfs t rw
"""


def test_mounts_below_a_folder_are_outermost_first() -> None:
    assert mounts_below(Path("/var/lib/x"), MOUNTINFO) == [
        "/var/lib/x/nodes/a/root/usr",
        "/var/lib/x/nodes/a/root/usr/deeper one",
    ]


def test_down_ends_processes_and_can_be_repeated(tmp_path: Path) -> None:
    plan = scratch_plan(tmp_path / "state")
    state = State(plan)
    stubborn = state.run_process("stubborn", ["sh", "-c", "trap '' TERM; echo up; sleep 60 & wait; sleep 60"])
    state.wait_until(stubborn, lambda: "up" in state.log_tail("stubborn"), what="up", within_s=5)
    # As if the command had been killed between starting it and recording it: only its mark tells.
    state.record("process", "stubborn", pid=0, start=0)
    down(plan)
    assert not stubborn.alive()
    assert not plan.state.exists()
    assert down(plan) == []
