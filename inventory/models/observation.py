"""What was seen of a node at one moment, kept so that days of it can be judged."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from inventory.models.cluster import Declared


class Egress(Declared):
    """A destination outside the site that something on the node has a connection to."""

    protocol: str
    address: str
    port: int = Field(ge=0, le=65535)


class Resolved(Declared):
    """The addresses that a declared host name had on the node, as its own resolver answered."""

    name: str
    addresses: tuple[str, ...]


class Observation(Declared):
    """One line of `residency/observations.jsonl`.

    `round_trip_ms` is the least time in which the node echoed a nonce over its authenticated SSH session, as
    measured at `vantage`. `egress` is None where the connections could not be seen; `unseen` says why.
    `resolved` are the host names of `processing.processors`, so that an address is joined with its company.
    """

    schema_: Literal["safe-harbor/observation/v1"] = Field(
        default="safe-harbor/observation/v1", alias="schema", serialization_alias="schema"
    )
    at: AwareDatetime
    node: str
    vantage: str = ""
    round_trip_ms: float | None = Field(default=None, gt=0)
    egress: tuple[Egress, ...] | None = None
    unseen: str = ""
    resolved: tuple[Resolved, ...] = ()
