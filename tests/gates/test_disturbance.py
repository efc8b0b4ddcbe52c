"""Steal and connection tracking beside the rounds: what voids a run, what is shown, what was not read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inventory.models.verdict import Verdict
from tasks.gates.disturbance import disturbed, load_findings, void_reasons
from tasks.gates.latency import judge_latency_file
from tasks.gates.rounds_file import MachineReading, Reading
from tests.gates.test_rounds_file import content, written

CALM = {
    "cpu_busy": 0.31,
    "steal": 0.004,
    "conntrack_count": 90,
    "conntrack_max": 1000,
    "tcp_sent": 9000,
    "tcp_resent": 3,
}


def machine(
    name: str = "oslo-2", part: Any = "target", own: bool | None = True, **over: Any
) -> MachineReading:
    return MachineReading(machine=name, part=part, own_kernel=own, **(CALM | over))


def run(*machines: MachineReading, number: int = 3, valid: bool = True) -> Reading:
    return Reading(round=number, side="target", valid=valid, machines=machines)


def test_steal_voids_a_run_on_a_machine_with_a_kernel_of_its_own() -> None:
    assert void_reasons([machine(steal=0.02)]) == ["oslo-2: 2.0% of the processor time stolen, limit 2%"]
    assert void_reasons([machine(steal=0.0199)]) == []


@pytest.mark.parametrize("own", [False, None])
def test_steal_is_shown_where_it_may_be_another_machines(own: bool | None) -> None:
    stolen = machine(own=own, steal=0.3)
    assert void_reasons([stolen]) == []
    (line,) = disturbed([run(stolen)])
    assert line.startswith("round 3, target: oslo-2: 30.0% of the processor time stolen")
    assert ("under this container" in line) is (own is False)
    assert load_findings([run(stolen)], ())[0].verdict is Verdict.WARN


def test_the_generators_steal_is_judged_by_its_lateness() -> None:
    assert void_reasons([machine("this machine", "generator", steal=0.5)]) == []


def test_a_table_that_fills_up_is_shown() -> None:
    assert disturbed([run(machine(conntrack_count=600), valid=False)]) == [
        "round 3, target (discarded): oslo-2: connection tracking 60% full, limit 60%"
    ]
    assert disturbed([run(machine(conntrack_count=599))]) == []
    assert void_reasons([machine(conntrack_count=1000)]) == []


def test_one_finding_a_machine_over_its_valid_runs() -> None:
    readings = [run(machine(), number=1), run(machine(cpu_busy=0.7, tcp_resent=4), number=2)]
    readings.append(run(machine(steal=0.9), valid=False))
    (found,) = load_findings(readings, ())
    assert found.verdict is Verdict.PASS
    assert found.observed == (
        "2 runs: processors busy at most 70.0%, steal at most 0.4%, connection tracking at most 9.0%, "
        "7 TCP segments sent again"
    )


def test_what_could_not_be_read_is_told_and_is_no_pass() -> None:
    unread = MachineReading(machine="source nodes", part="source", missing="source: Denied: no")
    (found,) = load_findings([run(unread)], ())
    assert found.verdict is Verdict.WARN
    assert "steal unknown" in found.observed
    assert "(not read: source: Denied: no)" in found.observed
    assert "source.nodes" in found.remedy
    assert (unread.steal, unread.conntrack, unread.tcp_resent) == (None, None, None)


def test_a_judged_file_says_where_its_rounds_were_disturbed(tmp_path: Path) -> None:
    old = judge_latency_file(written(tmp_path, content()))
    assert old["disturbed"] == []
    reading = run(machine(steal=0.041, own=False), number=2).model_dump()
    new = judge_latency_file(written(tmp_path, content() | {"readings": [reading]}))
    assert {name: new[name] for name in old if name != "disturbed"} == {
        name: old[name] for name in old if name != "disturbed"
    }
    assert new["disturbed"] == [
        "round 2, target: oslo-2: 4.1% of the processor time stolen from the machine under this container, "
        "limit 2%"
    ]
    json.dumps(new)
