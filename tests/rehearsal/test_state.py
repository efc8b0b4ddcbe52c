from __future__ import annotations

import json
import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from rehearsal.state import MARK, State, start_of
from tasks.drivers.errors import OutsideError
from tests.rehearsal.scratch import scratch_plan


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(scratch_plan(tmp_path / "state"))


def test_the_record_is_private_and_read_back(state: State) -> None:
    state.record("netns", "sht-wan")
    assert stat.S_IMODE(state.file.stat().st_mode) == 0o600
    assert State(state.plan).recorded("netns") == {"sht-wan": {}}
    state.forget("netns", "sht-wan")
    assert json.loads(state.file.read_text())["netns"] == {}


def test_only_one_claims_the_site(state: State) -> None:
    rivals = [State(state.plan) for _ in range(8)]
    won: list[bool] = []
    threads = [threading.Thread(target=lambda rival=rival: won.append(rival.claim())) for rival in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    assert sorted(path.name for path in state.plan.state.iterdir()) == ["state.json"]


def test_two_commands_lose_nothing_of_each_other(state: State) -> None:
    other = State(state.plan)
    state.record("mount", "/a")
    other.record("mount", "/b")
    state.record("mount", "/c")
    assert list(State(state.plan).recorded("mount")) == ["/a", "/b", "/c"]


def test_a_process_is_recorded_marked_and_reaped(state: State) -> None:
    running = state.run_process("sleeper", ["sleep", "60"])
    try:
        recorded = State(state.plan).process("sleeper")
        assert recorded == running
        assert recorded.alive()
        environment = Path(f"/proc/{running.pid}/environ").read_bytes().split(b"\0")
        assert f"{MARK}={state.plan.state}".encode() in environment
        assert os.getsid(running.pid) == running.pid
        with pytest.raises(OutsideError, match="already runs"):
            state.run_process("sleeper", ["sleep", "60"])
    finally:
        os.kill(running.pid, signal.SIGKILL)
    with pytest.raises(OutsideError, match="ended before answering"):
        state.wait_until(running, lambda: False, what="answering", within_s=5)
    assert start_of(running.pid) != running.start


def test_what_a_process_said_is_in_the_error(state: State) -> None:
    running = state.run_process("talker", ["sh", "-c", "echo it is broken >&2"])
    with pytest.raises(OutsideError, match="it is broken"):
        state.wait_until(running, lambda: False, what="ready", within_s=5)


def test_a_program_that_is_not_there_is_not_recorded(state: State) -> None:
    with pytest.raises(OutsideError, match="cannot be started"):
        state.run_process("ghost", ["/nonexistent/program"])
    assert state.recorded("process") == {}


def test_a_closed_state_makes_nothing(state: State) -> None:
    state.close()
    with pytest.raises(OutsideError, match="being taken down"):
        state.run_process("late", ["true"])
    with pytest.raises(OutsideError, match="being taken down"):
        state.record("netns", "late")
