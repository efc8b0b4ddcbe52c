"""Tells a waiting person how a run goes on."""

from __future__ import annotations

from tasks.replay.glance import Glance
from tasks.steps.workplace import Workplace


def tell(place: Workplace, what: str, glance: Glance) -> None:
    """What is run, how far it is, and what it looks like now."""
    told = glance.told()
    place.progress.step(f"{what}: {told}" if told else what, glance.finished, glance.planned)
