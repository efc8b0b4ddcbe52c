"""What a stage leaves behind for the report and for the next stage."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from inventory.models.finding import Finding
from inventory.models.verdict import Verdict


class StageResult(BaseModel):
    """`<state>/stages/NAME.json`. `figures` holds the stage's own measurements, units in their names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    verdict: Verdict
    started_at: AwareDatetime
    seconds: float
    changes: int = 0
    findings: tuple[Finding, ...] = ()
    figures: dict[str, Any] = Field(default_factory=dict)
