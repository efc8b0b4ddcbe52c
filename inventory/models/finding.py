"""What a check found about one subject, and the evidence it stands on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from inventory.models.verdict import Verdict


class Grade(StrEnum):
    """Evidence grades of the residency catalogue, strongest first."""

    E1 = "E1"  # physical or cryptographic
    E2 = "E2"  # provider or cluster API, or the host itself
    E3 = "E3"  # registry or geo database
    E4 = "E4"  # signed human or contract statement


class Severity(StrEnum):
    """How much a failing check weighs: an unknown blocks for a critical one."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"


def _in_utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


class Evidence(BaseModel):
    """One observation. `source` is the command, call or file that anyone can repeat; `digest` is the
    SHA-256 (hex) of the raw observation; `excerpt` is the part of it that a person reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    grade: Grade
    # In UTC, so that one moment has one text, and one digest, in every time zone.
    observed_at: Annotated[AwareDatetime, AfterValidator(_in_utc)]
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    excerpt: str = ""


class Finding(BaseModel):
    """A check's verdict on one subject (`oslo-1`, `deployment/shop/shop`, `s3://media`).

    `observed` says in one line what was seen and `expected` what the check wants; `remedy` is the command
    or the sentence that mends it, empty only where there is nothing to mend.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    subject: str
    verdict: Verdict
    observed: str
    expected: str = ""
    evidence: tuple[Evidence, ...] = ()
    remedy: str = ""
    severity: Severity = Severity.HIGH
    waived_by: str | None = None  # the approver of the waiver that lets this finding through


class Waiver(BaseModel):
    """Lets one check pass on one subject, by name, until a date; printed every time it is used.

    `subject` is one subject, or `*` where the site file says so in as many words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    subject: str
    reason: str = Field(min_length=10)
    approver: str = Field(min_length=1)
    expires: date
