"""What the probe program answers (rehearsal/parts/probe): one JSON document on stdout a question."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMESPACE = "safe-harbor-probe"
SERVICE = "probe"
PEER_SERVICE = "probe-peer"  # leads to the second pods only: whoever asks it is not behind it
PORT = 10411
PROGRAM = "/probe"
POD_APP = "probe"  # in the pod network
PEER_APP = "probe-peer"  # a second one on each node, so that paths between neighbours are asked too
NAMES_PORT = 53  # of both Services, UDP: where lookups are asked
ANSWERS = {"answers": "probe"}  # the label of both: what stands behind the Service
NODE_APP = "probe-node"  # with hostNetwork: asks as the node itself


@dataclass(frozen=True)
class Hits:
    """Many requests, each on a new connection: who answered, and as whom the asker was seen."""

    requests: int
    errors: int
    by: Mapping[str, int]
    clients: tuple[str, ...]
    error: str


@dataclass(frozen=True)
class Dialled:
    """One address that was dialled or asked for an echo."""

    address: str
    ok: bool
    ms: float
    error: str


@dataclass(frozen=True)
class Got:
    """One HTTP GET; `status` is 0 where there was no answer."""

    status: int
    body: str
    error: str


@dataclass(frozen=True)
class Bulk:
    """Much data, several times: who sent all of it; `error` and `bytes` are the last time's."""

    bytes: int
    by: Mapping[str, int]
    mbit_per_s: float
    error: str


@dataclass(frozen=True)
class Lookups:
    """Lookups of A and AAAA at once; `lost` are those without both answers in time."""

    lookups: int
    lost: int
    max_ms: float
    error: str


@dataclass(frozen=True)
class Load:
    """A closed loop of requests over kept connections, and the machine's processor time meanwhile."""

    requests: int
    errors: int
    requests_per_s: float
    seconds: float
    p50_ms: float
    p99_ms: float
    error: str


@dataclass(frozen=True)
class Cpu:
    """A machine's processor time so far; `boot` tells machines (kernels) apart."""

    boot: str
    busy_us: int
    cores: int


def parse(output: str) -> dict[str, Any]:
    """The document. Raises ValueError where it is none."""
    value = json.loads(output)
    if not isinstance(value, dict):
        raise ValueError("a JSON object expected")
    return value


def parse_hits(output: str) -> Hits:
    """Raises ValueError or KeyError for any other answer."""
    value = parse(output)
    return Hits(value["requests"], value["errors"], value["by"], tuple(value["clients"]), value["error"])


def parse_dialled(output: str) -> tuple[Dialled, ...]:
    """Raises ValueError or KeyError for any other answer."""
    return tuple(Dialled(r["address"], r["ok"], r["ms"], r["error"]) for r in parse(output)["results"])


def parse_got(output: str) -> Got:
    """Raises ValueError or KeyError for any other answer."""
    value = parse(output)
    return Got(value["status"], value["body"], value["error"])


def parse_bulk(output: str) -> Bulk:
    """Raises ValueError or KeyError for any other answer."""
    value = parse(output)
    return Bulk(value["bytes"], value["by"], value["mbit_per_s"], value["error"])


def parse_lookups(output: str) -> Lookups:
    """Raises ValueError or KeyError for any other answer."""
    value = parse(output)
    return Lookups(value["lookups"], value["lost"], value["max_ms"], value["error"])


def parse_load(output: str) -> Load:
    """Raises ValueError or KeyError for any other answer."""
    value = parse(output)
    return Load(
        value["requests"],
        value["errors"],
        value["requests_per_s"],
        value["seconds"],
        value["p50_ms"],
        value["p99_ms"],
        value["error"],
    )


def parse_cpu(output: str) -> Cpu:
    """Raises ValueError or KeyError for any other answer."""
    value = parse(output)
    return Cpu(value["boot"], value["busy_us"], value["cores"])
