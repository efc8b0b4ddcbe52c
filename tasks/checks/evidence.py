"""Makes evidence of an observation."""

from __future__ import annotations

import hashlib

from inventory.models.finding import Evidence, Grade
from tasks.drivers.ports import Clock

EXCERPT_CHARS = 400


def observed(clock: Clock, source: str, raw: str | bytes, grade: Grade = Grade.E2) -> Evidence:
    """Evidence of a raw observation: its digest, and its first characters for a person."""
    data = raw.encode() if isinstance(raw, str) else raw
    return Evidence(
        source=source,
        grade=grade,
        observed_at=clock.now(),
        digest=hashlib.sha256(data).hexdigest(),
        excerpt=data[: 4 * EXCERPT_CHARS].decode("utf-8", "replace")[:EXCERPT_CHARS],
    )
