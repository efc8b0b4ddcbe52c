"""Finds the faults: every module of `faults/` that defines `FAULT`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import rehearsal.matrix.faults
from inventory.errors import BadInput
from rehearsal.matrix.fault import Fault
from tasks.checks.registry import in_group
from tasks.registered import modules_with


@cache
def all_faults() -> tuple[Fault, ...]:
    """Every fault, by name. Raises ValueError for a name that two have, or a check that is not there."""
    codes = {check.code for check in in_group("dataplane")}
    found: dict[str, Fault] = {}
    for module in modules_with(rehearsal.matrix.faults, "FAULT"):
        fault: Fault = module.FAULT
        if fault.name in found:
            raise ValueError(f"two faults have the name {fault.name}")
        if fault.primary not in codes:
            raise ValueError(f"{fault.name}: there is no check {fault.primary}")
        found[fault.name] = fault
    return tuple(found[name] for name in sorted(found))


def faults_named(names: Sequence[str]) -> tuple[Fault, ...]:
    """These faults, all where none is named. Raises BadInput, listing the known."""
    known = {fault.name: fault for fault in all_faults()}
    for name in names:
        if name not in known:
            raise BadInput(f"there is no fault {name!r}; known: {', '.join(known)}")
    return tuple(known[name] for name in names) or all_faults()
