"""The traffic that is replayed against both sides, and what of their answers is compared."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from inventory.models.cluster import Declared

COMPARED_HEADERS = ("content-type", "location", "cache-control", "content-encoding")
_PLACE = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
_REWRITE = "=>"


class Answers(Declared):
    """What of the answers of both sides is compared; noise is learned from the source, asked twice."""

    requests: int = Field(default=200, ge=0)  # distinct ones, the most frequent first; 0 for none
    headers: tuple[str, ...] = COMPARED_HEADERS  # that are compared, beside status and body
    ignore_json: tuple[str, ...] = ()  # JSONPaths whose values are not compared, as $.items[*].seen_at
    ignore: tuple[str, ...] = ()  # regular expressions whose text is not compared


class Timing(Declared):
    """When the requests of a round are due, the same on both sides.

    `rate`: evenly, at `rate_rps`. `poisson`: at random instants, `rate_rps` on average. `ramp`: at a rate
    that changes evenly over the round. `original`: as the capture has them, `speed` times as fast.
    """

    kind: Literal["rate", "poisson", "ramp", "original"] = "rate"
    speed: float | None = Field(default=None, gt=0, le=1000)  # with original; none: 1.0
    from_rps: float | None = Field(default=None, gt=0)
    to_rps: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        ends = (self.from_rps, self.to_rps)
        if self.kind == "ramp" and None in ends:
            raise ValueError("a ramp wants from_rps and to_rps")
        if self.kind != "ramp" and ends != (None, None):
            raise ValueError(f"from_rps and to_rps belong to kind ramp, not {self.kind}")
        if self.kind != "original" and self.speed is not None:
            raise ValueError(f"speed belongs to kind original, not {self.kind}")
        return self


class Selected(Declared):
    """What of the capture is replayed.

    `only` and `without` are regular expressions that are searched in path and query (one of `only` must be
    found, none of `without`); `rewrites` are REGEX=>REPLACEMENT, in order.
    """

    hosts: tuple[str, ...] = ()  # where the capture names hosts, only these
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    unsafe: bool = (
        False  # POST, PUT, PATCH and DELETE too, where the capture has bodies: they change both sides
    )

    @model_validator(mode="after")
    def _are_regular_expressions(self) -> Self:
        for text in self.rewrites:
            if not text.partition(_REWRITE)[0] or _REWRITE not in text:
                raise ValueError(f"rewrites: {text!r} is not REGEX{_REWRITE}REPLACEMENT, as '^/old/=>/new/'")
        patterns = {
            "only": self.only,
            "without": self.without,
            "rewrites": tuple(text.partition(_REWRITE)[0] for text in self.rewrites),
        }
        for key, texts in patterns.items():
            for text in texts:
                try:
                    re.compile(text)
                except re.error as error:
                    raise ValueError(f"{key}: {text!r} is not a regular expression: {error}") from error
        return self


class Reached(Declared):
    """How one side is connected to; Host header and TLS name stay those of its edge's URL."""

    ca_file: Path | None = None  # certificates (PEM) of the authority to trust, in place of the system's
    connect_to: str = ""  # ADDRESS:PORT in place of what the URL says

    @model_validator(mode="after")
    def _is_a_place(self) -> Self:
        match = _PLACE.fullmatch(self.connect_to)
        if self.connect_to and not (match and 0 < int(match[2]) < 65536):
            raise ValueError(f"connect_to {self.connect_to!r} is not ADDRESS:PORT, as 10.60.0.11:8443")
        return self

    @property
    def connect_host(self) -> str:
        """The name or address that `connect_to` has; empty where there is none."""
        return self.connect_to.rpartition(":")[0].strip("[]")


class Replay(Declared):
    """The traffic that is replayed against both sides, in interleaved rounds."""

    capture: Path
    max_bad: int = Field(default=0, ge=0)  # broken lines of the capture that are tolerated
    rate_rps: float = Field(default=500.0, gt=0)
    timing: Timing = Timing()
    select: Selected = Selected()
    sessions: bool = (
        False  # each client of the capture keeps one connection, and the cookies that it is given
    )
    requests_per_round: int = Field(default=5000, ge=1)
    rounds: int = Field(default=12, ge=3)  # at most; the gate may stop after a third or two thirds
    pilot_rounds: int = Field(default=0, ge=0, le=10)  # of the source against itself, to plan the rounds by
    connections: int = Field(default=64, ge=1)
    http: Literal["1.1", "2"] = "1.1"
    processes: int = Field(default=1, ge=0)  # of this machine that share the load; 0: all cores but one
    source_addresses: tuple[str, ...] = ()  # of this machine; connections come from them in turn
    source: Reached = Reached()
    target: Reached = Reached()
    seed: int = 1
    server_timing: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]*$")  # a metric of Server-Timing
    answers: Answers = Answers()

    @model_validator(mode="after")
    def _pilot_says_something(self) -> Self:
        if 0 < self.pilot_rounds < 6:
            raise ValueError(f"pilot_rounds {self.pilot_rounds}: a pilot has 6 to 10 rounds, or 0 for none")
        return self

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.sessions and self.http != "1.1":
            raise ValueError("sessions are replayed over http 1.1 only: each has a connection of its own")
        kind = self.timing.kind
        if kind in ("ramp", "original") and "rate_rps" in self.model_fields_set:
            raise ValueError(f"rate_rps belongs to timing.kind rate and poisson, not {kind}: leave it out")
        if kind == "poisson" and self.seed < 0:
            raise ValueError(f"seed {self.seed}: for timing.kind poisson it is 0 or more")
        return self

    @model_validator(mode="after")
    def _addresses_are_some(self) -> Self:
        found: list[IPv4Address | IPv6Address] = []
        for text in self.source_addresses:
            try:
                found.append(ip_address(text))
            except ValueError as error:
                raise ValueError(f"source_addresses: {text!r} is not an IP address") from error
        if len({address.version for address in found}) > 1:
            raise ValueError("source_addresses: all are IPv4 or all IPv6; each must reach both sides")
        return self
