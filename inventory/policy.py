"""Finds and reads the residency policies of `inventory/policies/`."""

from __future__ import annotations

import difflib
from pathlib import Path

from inventory.errors import BadInput
from inventory.load import load_model
from inventory.models.policy import Policy

POLICIES = Path(__file__).resolve().parent / "policies"


def known_policies() -> list[str]:
    """The names that `load_policy` takes."""
    return sorted(file.stem for file in POLICIES.glob("*.yaml"))


def load_policy(name: str) -> Policy:
    """The policy of a name. Raises BadInput, listing the known ones, where there is none or it is wrong."""
    known = known_policies()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise BadInput(f"there is no policy {name!r}{meant} (known: {', '.join(known)})")
    file = POLICIES / f"{name}.yaml"
    policy = load_model(Policy, file)
    if policy.name != name:
        raise BadInput(f"name is {policy.name}, the file's is {name}: they must be the same", file)
    return policy
