"""A plan beside the real one: other names, addresses and state, so that a site in use is not disturbed."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rehearsal.plan import Machine, Plan

_RENAMED = (
    ("198.18.0.", "198.19.0."),
    ("10.40.0.", "10.41.0."),
    ("10.60.0.", "10.61.0."),
    ("shx-", "sht-"),
)


def scratch_plan(state: Path = Path("/var/lib/safe-harbor/rehearsal-trial")) -> Plan:
    """The plan of the trial site: two nodes on the AWS side, one in Oslo."""
    plan = Plan(state=state)
    changed: dict[str, Any] = {}
    for field in fields(plan):
        value = getattr(plan, field.name)
        if isinstance(value, str):
            changed[field.name] = _renamed(value)
    for side, count in (("aws_nodes", 2), ("oslo_nodes", 1)):
        machines = getattr(plan, side)[:count]
        changed[side] = tuple(Machine(f"t-{each.name}", _renamed(each.address)) for each in machines)
    return replace(plan, **changed)


def _renamed(text: str) -> str:
    for old, new in _RENAMED:
        text = text.replace(old, new)
    return text
