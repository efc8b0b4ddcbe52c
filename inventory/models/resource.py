"""What a survey enumerates, and how complete the enumeration was."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Resource(BaseModel):
    """One thing that exists. `attributes` holds what later stages read (JSON values only, no secret)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str  # ec2, ebs, ..., one for each surveyor; tagging (of any other service); kubernetes
    region: str  # an AWS region, `global`, or the cluster's name
    kind: str
    id: str
    arn: str = ""
    name: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    attributes: dict[str, Any] = Field(default_factory=dict)


class CoverageStatus(StrEnum):
    """How one enumeration ended; whoever judges, judges on it."""

    OK = "ok"
    EMPTY = "empty"
    DENIED = "denied"
    THROTTLED = "throttled"
    ERROR = "error"

    @property
    def complete(self) -> bool:
        """Whether everything that exists was seen."""
        return self in (CoverageStatus.OK, CoverageStatus.EMPTY)


class Coverage(BaseModel):
    """How one operation of one service in one region ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    region: str
    operation: str
    status: CoverageStatus
    count: int = 0
    message: str = ""


class Survey(BaseModel):
    """The content of `survey.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: str = Field(default="safe-harbor/survey/v1", alias="schema", serialization_alias="schema")
    site: str
    observed_at: str
    resources: tuple[Resource, ...]
    coverage: tuple[Coverage, ...]
