"""What a run of the matrix left, as a document."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Row(BaseModel):
    """One fault. `named`: the codes that name the cause; `failed`: all that failed; `unseen`: those that
    could not observe; `seconds`: all checks under the fault; `healed_s`: from the undo until they pass again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: str
    what: str
    primary: str
    named: list[str]
    failed: list[str]
    unseen: list[str]
    observed: str
    seconds: float
    healed_s: float

    @property
    def found(self) -> bool:
        """Whether exactly the fault's own check names the cause."""
        return self.named == [self.primary]


class HealthyRun(BaseModel):
    """Every check once on the untouched site; `alarms` are the findings that would stop an exit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: int
    warnings: list[str]
    alarms: list[str]
    seconds: float


class Matrix(BaseModel):
    """A whole run: `site` says in words on what it was measured, `untried` faults and why."""

    model_config = ConfigDict(extra="forbid")

    schema_: str = Field(default="safe-harbor/fault-matrix/v1", alias="schema", serialization_alias="schema")
    measured_at: str
    site: str
    rows: list[Row] = []
    healthy: list[HealthyRun] = []
    untried: dict[str, str] = {}

    @property
    def good(self) -> bool:
        """Whether every fault was found and no healthy run alarmed."""
        return all(row.found for row in self.rows) and not any(run.alarms for run in self.healthy)
