"""A rehearsal leaves this machine as it found it: after `down`, a failure, a kill at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal import doctor, netns, nodes, site, teardown
from rehearsal.plan import Plan
from rehearsal.state import State
from tests.rehearsal.scratch import scratch_plan
from tests.site.snapshot import differences, snapshot
from tests.site.trial import Quiet

pytestmark = [pytest.mark.site, pytest.mark.slow]

_UP = """
from rehearsal import site
from tests.rehearsal.scratch import scratch_plan

class Quiet:
    def step(self, text, done=0, total=0): pass

plan = scratch_plan()
site.up(Quiet(), plan=plan, out=plan.state / "out")
"""


@pytest.fixture
def plan() -> Iterator[Plan]:
    """A trial site of three nodes: it fits beside a whole one."""
    plan = scratch_plan()
    teardown.down(plan)
    # The first use of a table or a namespace loads parts of the kernel that add sysctls of their own.
    assert doctor.examine(plan, will_build=False)
    yield plan
    teardown.down(plan)


def test_up_and_down_leave_nothing(plan: Plan) -> None:
    before = snapshot(plan)
    raised = site.up(Quiet(), plan=plan, out=plan.state / "out")
    assert raised.site_file.is_file()
    with pytest.raises(site.AlreadyUp) as refused:
        site.up(Quiet(), plan=plan, out=plan.state / "out")
    assert refused.value.remedy.endswith("safe-harbor rehearse down")
    removed = site.down(Quiet(), plan)
    assert f"network namespace {plan.wan_netns}" in removed
    assert differences(before, snapshot(plan)) == {}
    assert site.down(Quiet(), plan) == []


@pytest.mark.parametrize(
    ("deadly", "after_s"),
    [
        *((signal.SIGKILL, after_s) for after_s in (0.6, 1.2, 2.5, 6.0, 12.0)),
        *((signal.SIGTERM, after_s) for after_s in (1.0, 4.0)),  # what an ending machine or CI sends first
    ],
)
def test_a_kill_in_the_middle_of_up_leaves_nothing_that_down_does_not_remove(
    plan: Plan, deadly: signal.Signals, after_s: float
) -> None:
    before = snapshot(plan)
    child = subprocess.Popen([sys.executable, "-c", _UP], start_new_session=True)
    _await_claim(plan, child)
    time.sleep(after_s)
    child.send_signal(deadly)
    assert child.wait(10) == -deadly
    assert site.is_up(plan)
    site.down(Quiet(), plan)
    assert differences(before, snapshot(plan)) == {}


def test_an_interrupt_removes_what_was_made(plan: Plan) -> None:
    before = snapshot(plan)
    child = subprocess.Popen([sys.executable, "-c", _UP], start_new_session=True, stderr=subprocess.PIPE)
    _await_claim(plan, child)
    time.sleep(3)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode != 0
    assert b"KeyboardInterrupt" in said
    assert differences(before, snapshot(plan)) == {}


@pytest.mark.parametrize("deadly", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_rehearsal_that_ends_early_takes_its_site_down(deadly: signal.Signals, tmp_path: Path) -> None:
    """The signal meets the command alone; what builds the site is a process of its own."""
    plan = Plan()
    before = snapshot(plan)
    argv = [sys.executable, "-m", "flows.cli", "rehearse", "--out", str(tmp_path / "out")]
    command = subprocess.Popen(argv, start_new_session=True, stderr=subprocess.DEVNULL)
    _await_claim(plan, command)
    time.sleep(3)
    command.send_signal(deadly)
    assert command.wait(60) == (-deadly if deadly == signal.SIGKILL else 130)  # SIGTERM is a Ctrl-C
    end = time.monotonic() + 60
    while site.is_up(plan):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert differences(before, snapshot(plan)) == {}


def test_a_dead_node_and_a_lost_record_are_cleaned_up(plan: Plan) -> None:
    before = snapshot(plan)
    state = State(plan)
    state.claim()
    nodes.make_keys(plan, plan.oslo_nodes)
    netns.raise_wan(plan, state)
    nodes.boot(plan, state, plan.oslo_nodes)
    os.kill(state.process(plan.oslo_nodes[0].name).pid, signal.SIGKILL)
    state.file.unlink()
    site.down(Quiet(), plan)
    assert differences(before, snapshot(plan)) == {}


def _await_claim(plan: Plan, child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while not State(plan).file.exists():
        assert child.poll() is None, "up ended before it began"
        assert time.monotonic() < end
        time.sleep(0.02)
