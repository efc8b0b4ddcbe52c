"""What the generator's process is given, as files in one folder."""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from tasks.replay.capture import Target
from tasks.replay.plan import Plan
from tasks.replay.selection import SAFE_METHODS
from tasks.replay.target_url import Endpoint

JOB_FILE, PLAN_FILE = "job.json", "plan.npz"
RECORDS_FILE, COURSE_FILE = "records.npz", "course.json"
HTTP_VERSIONS = {"1.1": 1, "2": 2}  # and the open files that a connection needs: libcurl has one of its own
USER_AGENT = "safe-harbor-replay"


@dataclass(frozen=True)
class Job:
    """A plan with its wire bytes, an address and the bounds of the run."""

    endpoint: Endpoint
    wires: list[bytes]  # one a distinct request
    due_s: array[float]
    target: array[int]
    expected_status: array[int]
    http: str
    connections: int
    timeout_s: float
    slo_ms: float
    ca_file: str
    source_addresses: tuple[str, ...]
    go_first: bool
    client: array[int] = field(default_factory=lambda: array("I"))  # one a request; empty: no sessions
    starts_at: float = 0.0  # seconds of the wall clock, shared with other machines; 0: at once
    server_timing: str = ""  # the metric of the Server-Timing header that is kept

    def save(self, folder: Path) -> None:
        """Writes it for `load`."""
        np.savez(
            folder / PLAN_FILE,
            due_s=np.array(self.due_s),
            target=np.array(self.target),
            expected_status=np.array(self.expected_status),
            client=np.array(self.client),
        )
        plain = {
            "endpoint": asdict(self.endpoint),
            "wires": [wire.decode("latin-1") for wire in self.wires],
            "http": self.http,
            "connections": self.connections,
            "timeout_s": self.timeout_s,
            "slo_ms": self.slo_ms,
            "ca_file": self.ca_file,
            "source_addresses": self.source_addresses,
            "go_first": self.go_first,
            "starts_at": self.starts_at,
            "server_timing": self.server_timing,
        }
        (folder / JOB_FILE).write_text(json.dumps(plain))

    @classmethod
    def load(cls, folder: Path) -> Job:
        """Reads what `save` wrote."""
        plain = json.loads((folder / JOB_FILE).read_text())
        with np.load(folder / PLAN_FILE, allow_pickle=False) as plan:
            return cls(
                endpoint=Endpoint(**plain.pop("endpoint")),
                source_addresses=tuple(plain.pop("source_addresses")),
                wires=[wire.encode("latin-1") for wire in plain.pop("wires")],
                due_s=array("d", plan["due_s"].astype(np.float64).tobytes()),
                target=array("I", plan["target"].astype(np.uint32).tobytes()),
                expected_status=array("H", plan["expected_status"].astype(np.uint16).tobytes()),
                client=array("I", plan["client"].astype(np.uint32).tobytes()),
                **plain,
            )


def wires_of(plan: Plan, endpoint: Endpoint) -> list[bytes]:
    """The bytes of each distinct request. A log has no cookie or authorization; none is made up."""
    return [wire_of(target, endpoint.host_header) for target in plan.targets]


def wire_of(target: Target, host: str) -> bytes:
    """The bytes of one request; `host` is its Host header."""
    fields = {"host": host, "user-agent": USER_AGENT, "accept": "*/*"} | dict(target.headers)
    if target.body or target.method not in SAFE_METHODS:
        fields["content-length"] = str(len(target.body))
    lines = [f"{target.method} {target.path} HTTP/1.1", *(f"{k.title()}: {v}" for k, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + target.body
