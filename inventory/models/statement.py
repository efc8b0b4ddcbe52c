"""A signed statement of a person: evidence of grade E4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from inventory.models.cluster import Declared


class Document(Declared):
    """A document that a statement stands on: its title, and the SHA-256 (hex) of its file."""

    title: str = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Statement(Declared):
    """What a person says of one control on one subject, from a day until another.

    `holds`: whether the control is met, in the signer's words `says`. `facts` are what the control asks for
    (`country`, `basis`, ...); see docs/formats.md.
    """

    schema_: Literal["safe-harbor/statement/v1"] = Field(alias="schema")
    control: str = Field(pattern=r"^[A-Z]{2,4}-\d{2}$")
    subject: str = Field(min_length=1)
    signer: str = Field(min_length=1)
    dated: date
    expires: date
    holds: bool
    says: str = Field(min_length=10)
    facts: dict[str, str] = Field(default_factory=dict)
    documents: tuple[Document, ...] = ()

    @model_validator(mode="after")
    def _dates_are_in_order(self) -> Self:
        if self.expires < self.dated:
            raise ValueError(f"expires {self.expires} lies before dated {self.dated}")
        return self


@dataclass(frozen=True)
class Signed:
    """A statement whose signature was verified; `digest` is the SHA-256 (hex) of its `file`."""

    statement: Statement
    file: str
    digest: str
