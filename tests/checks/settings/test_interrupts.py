"""TUN-IRQ, and the fact behind it as a virtio card's kernel shows it."""

from __future__ import annotations

import pytest

from inventory.models.verdict import Verdict
from tasks.checks.settings.interrupts import judge
from tasks.facts.interrupts import Interrupt, parse

# Two queues of a virtio card, both on processor 0, and the interrupt of its configuration, which never came.
RECORDED = (
    "37\t1\t0\tvirtio2-config\t0-3\trw\n"
    "38\t0\t120\tvirtio2-input.0\t0-3\trw\n"
    "39\t0\t80\tvirtio2-output.0\t0\trw\n"
)


def test_all_on_one_processor_is_a_warning_unless_something_balances_them() -> None:
    found = parse(RECORDED)
    assert found[1] == Interrupt(38, "0", 120, "virtio2-input.0", "0-3", True)
    said = judge(found, 4, balanced=False)
    assert (said.verdict, bool(said.remedy)) == (Verdict.WARN, True)
    assert said.observed == "all on processor 0 of 4: virtio2-input.0 on 0, virtio2-output.0 on 0"
    assert judge(found, 4, balanced=True).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("output", "processors"),
    [
        ("", 4),  # a virtual interface
        (RECORDED, 1),
        (RECORDED.replace("39\t0", "39\t1"), 4),
        (RECORDED.replace("\t0\t120", "\t0-3\t120").replace("\t0\t80", "\t0-3\t80"), 4),
        (RECORDED.replace("\t80\t", "\t0\t"), 4),  # only one has come
    ],
)
def test_what_is_spread_or_cannot_be(output: str, processors: int) -> None:
    assert judge(parse(output), processors, balanced=False).verdict is Verdict.PASS


@pytest.mark.parametrize("line", ["38\t0\t1", "x\t0\t1\tname", "38\t0\tmany\tname"])
def test_what_is_no_interrupt_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"fields expected|invalid literal"):
        parse(line)
