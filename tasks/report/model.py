"""The content of `report.json`: what the stages recorded, in the words that a reader looks for.

A value that no stage recorded is None or empty, never a default that looks like a measurement.
"""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from inventory.models.finding import Evidence, Waiver
from inventory.models.verdict import Verdict
from tasks.gates.rounds_file import Reading

SCHEMA = "safe-harbor/report/v1"
Json = dict[str, Any]


class Section(BaseModel):
    """The root of the report's models: frozen, and nothing undeclared in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stage(Section):
    """One stage. `verdict` is None where it has not run; then everything else but its name is empty."""

    name: str
    verdict: Verdict | None = None
    started_at: AwareDatetime | None = None
    seconds: float | None = None
    changes: int | None = None
    findings: dict[str, int] = Field(default_factory=dict)  # by verdict; waived ones under "waived"


class CheckRow(Section):
    """One finding, as a reader sees it. `grade` is that of its strongest evidence, empty without any."""

    stage: str
    code: str
    subject: str
    verdict: Verdict
    severity: str
    grade: str
    observed: str
    expected: str
    remedy: str
    waived_by: str | None
    evidence: tuple[Evidence, ...]


class WaiverRow(Waiver):
    """A waiver of the site file. `used_by` names the findings that it let through in this exit."""

    used_by: tuple[str, ...] = ()


class DataPlane(Section):
    """What one mode of kube-proxy does under the same load; other recorded figures are in `more`."""

    requests_per_s: float
    cpu_us_per_request: float | None = None
    more: Json = Field(default_factory=dict)


class Step(Section):
    """One step of the cutover; `at_s` counts from the cutover's start."""

    percent: float
    at_s: float | None
    requests: int | None
    errors: int | None
    target_requests: int | None = None
    fallbacks: int | None = None


class Second(Section):
    """What the customers met in one second; `t_s` counts from the cutover's start.

    `sites` has how many requests each side answered, `none` those that nobody did.
    """

    t_s: float
    requests: int
    failed: int
    sites: dict[str, int] = Field(default_factory=dict)
    slowest_ms: float | None = None


class Span(Section):
    """A stretch of the cutover, in seconds from its start."""

    what: str
    from_s: float
    to_s: float


class Cutover(Section):
    """What the cutover came to. None: not measured, which is never the same as 0.

    `revert_s` counts from the decision to go back; `trouble_to_source_s` from the customers' first sign of
    trouble (their log) until all traffic was back (the ledger) and no request failed any more.
    """

    requests: int | None = None
    failed: int | None = None
    orders_placed: int | None = None
    orders_lost: int | None = None
    orders_doubled: int | None = None
    write_freeze_s: float | None = None
    revert_s: float | None = None
    trouble_to_source_s: float | None = None
    started_at: AwareDatetime | None = None
    steps: tuple[Step, ...] = ()
    timeline: tuple[Second, ...] = ()
    spans: tuple[Span, ...] = ()
    more: Json = Field(default_factory=dict)  # other recorded figures, as who answered how many orders


class Round(Section):
    """A round of one side over all requests, in ms."""

    round: int
    side: str
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Discarded(Section):
    """A run that said nothing and was repeated, or ended the rounds."""

    round: int
    side: str
    reasons: tuple[str, ...]


class RouteRow(Section):
    """One side's route over all valid rounds, in ms from the intended time; None where it had no request."""

    route: str
    side: str
    requests: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Replay(Section):
    """What was replayed. `curves_ms[side]` is (percentile, ms) over all requests."""

    rounds: tuple[Round, ...] = ()
    discarded: tuple[Discarded, ...] = ()
    readings: tuple[Reading, ...] = ()  # of the machines, one a run; those of discarded runs are not valid
    pilot: Json = Field(default_factory=dict)  # safe-harbor/latency-pilot/v1; empty where none was run
    routes: tuple[RouteRow, ...] = ()
    curves_ms: dict[str, tuple[tuple[float, float], ...]] = Field(default_factory=dict)
    figures: Json = Field(default_factory=dict)  # the plain ones: seed, rate, invalid runs
    bodies: Json = Field(default_factory=dict)  # status and body hash of all answers of the rounds, compared
    answers: Json = Field(default_factory=dict)  # whole answers, asked one by one, compared
    page: str = ""  # the file beside the report that shows the replay over its time


class NodeRow(Section):
    """A declared node of the target, and how long its preparation took where that was recorded."""

    name: str
    address: str
    roles: tuple[str, ...]
    prepare_s: float | None = None


class SurveyFigures(Section):
    """What the survey saw; `incomplete` lists enumerations that did not see everything."""

    observed_at: str
    resources: int
    services: dict[str, int]
    regions: tuple[str, ...]
    incomplete: tuple[str, ...]


class LedgerFigures(Section):
    """The trail as of the writing of the report. `root` is hex; `key` the verifier key."""

    path: str
    entries: int
    root: str
    checkpoints: int | None = None
    key: str = ""


class Report(Section):
    """The content of `report.json`."""

    schema_: str = Field(default=SCHEMA, alias="schema", serialization_alias="schema")
    site: str
    controller: str
    policy: str
    profile: str
    written_at: AwareDatetime
    verdict: Verdict
    seconds: float
    measured: Json
    plan: str
    stages: tuple[Stage, ...]
    checks: tuple[CheckRow, ...]
    waivers: tuple[WaiverRow, ...]
    survey: SurveyFigures | None
    nodes: tuple[NodeRow, ...]
    phase_seconds: dict[str, float]
    changes_by_phase: dict[str, int]
    data_plane: dict[str, DataPlane]
    moved: dict[str, Json]
    replay: Replay | None
    capacity: Json  # knee, required rate and steps; empty where it was not judged
    latency: Json  # the gate's own document, see safe-harbor/latency-verdict/v1; empty where it did not judge
    round_trips: Json  # by exchange and node; empty where none is declared
    decision: Json
    approval: Json
    cutover: Cutover | None
    rollback: Json
    stopped: tuple[str, ...]
    ledger: LedgerFigures
