"""What a controller declares of the processing itself: who takes part, who signs, whence it is measured."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from inventory.models.cluster import Declared

COUNTRY = r"^[A-Z]{2}$"  # ISO 3166-1 alpha-2


class Processor(Declared):
    """A company that the shop's data reaches. `country` is where the contracting entity is established.

    `hosts` (`*.` matches one name and more in front) and `networks` are where it is reached: observed egress
    is joined with them.
    """

    name: str = Field(min_length=1)
    country: str = Field(pattern=COUNTRY)
    parent: str = ""  # the ultimate parent, where there is one
    parent_country: str = Field(default="", pattern=r"^([A-Z]{2})?$")
    role: Literal["processor", "recipient"] = "processor"
    purpose: str = Field(min_length=1)
    data: tuple[str, ...] = ()  # the categories of data that it gets
    hosts: tuple[str, ...] = ()
    networks: tuple[IPv4Network, ...] = ()

    def has(self, host: str) -> bool:
        """Whether a host name or address is declared to be this company's."""
        name = host.rstrip(".").lower()
        for each in self.hosts:
            wanted = each.lower()
            if name == wanted or (wanted.startswith("*.") and name.endswith(wanted[1:])):
                return True
        try:
            address = IPv4Address(host)
        except ValueError:
            return False
        return any(address in network for network in self.networks)


class Signer(Declared):
    """Who may sign statements, and the verifier key (`NAME+HASH+KEY`) by which it is known."""

    name: str = Field(min_length=1)
    key: str = Field(pattern=r"^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$")


class Witness(Declared):
    """Who cosigns the ledger's checkpoints, and the verifier key of `safe-harbor audit witness`."""

    name: str = Field(min_length=1)
    key: str = Field(pattern=r"^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$")


class Vantage(Declared):
    """A known place that round trips are measured from."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class Processing(Declared):
    """The processing, as GDPR Art. 30(1) wants it recorded, and the evidence that people bring."""

    contact: str = ""  # of the controller or its data protection officer
    purposes: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()  # categories of data subjects
    data: tuple[str, ...] = ()  # categories of personal data
    retention: str = ""
    security: tuple[str, ...] = ()  # technical and organisational measures
    processors: tuple[Processor, ...] = ()
    signers: tuple[Signer, ...] = ()
    statements: Path | None = None  # the folder of signed statements
    witnesses: tuple[Witness, ...] = ()
    checkpoints: Path | None = None  # the folder of cosigned checkpoints that the witnesses hand over
    vantages: tuple[Vantage, ...] = ()
    countries: Path | None = None  # range table START,END,COUNTRY of one geo database, and ...
    countries_again: Path | None = None  # ... of another one (LOC-03)
    registrants: Path | None = None  # range table of the registrants' countries (LOC-04)

    @model_validator(mode="after")
    def _names_are_one(self) -> Self:
        for what in ("processors", "signers", "witnesses", "vantages"):
            names = [each.name for each in getattr(self, what)]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{what}: the name {name} stands twice")
        return self

    def owner_of(self, host: str) -> Processor | None:
        """The processor that a host name or address is declared to belong to."""
        return next((each for each in self.processors if each.has(host)), None)
