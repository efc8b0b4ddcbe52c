"""One run: a plan against a target, in a process of its own; its records, figures and files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inventory.errors import BadInput
from tasks.replay.capture import Target, read_capture
from tasks.replay.figures import reasons_invalid, result_of
from tasks.replay.generate import generated
from tasks.replay.glance import Glance, Progress
from tasks.replay.job import HTTP_VERSIONS, Job, wires_of
from tasks.replay.plan import Plan, as_captured, at_rate, poisson, ramp
from tasks.replay.processes import ProcessPart, generated_by_processes, processes_of
from tasks.replay.reach import check_reach
from tasks.replay.records import Records
from tasks.replay.result_files import write
from tasks.replay.selection import Selection
from tasks.replay.sources import check_sources
from tasks.replay.spread.result import course_of_all, reasons_of_all, records_of_all, rows, tally_of_all
from tasks.replay.spread.shards import places, sharded
from tasks.replay.tally import Measured, tally_of
from tasks.replay.target_url import Endpoint, endpoint_of
from tasks.replay.worker import tls_context

MAX_CONNECTIONS = 20_000  # a source address: of the 28,000 ephemeral ports that Linux has towards one target


@dataclass(frozen=True)
class Options:
    """How a run is made. `slo_ms` widens the lateness that a valid run may have to 5 % of it."""

    http: str = "1.1"
    connections: int = 64
    timeout_s: float = 10.0
    slo_ms: float = 0.0
    allow: tuple[str, ...] = ()  # names, addresses, networks that may be loaded besides loopback
    connect_to: str = ""
    ca_file: str = ""
    source_addresses: tuple[str, ...] = ()  # connections come from them in turn
    go_first: bool = True  # real-time scheduling of the generator, where the system allows it
    server_timing: str = ""  # the metric of the answers' Server-Timing header that is kept
    processes: int = 1  # of this machine that share the run; 0: all cores but one


@dataclass(frozen=True)
class RunResult:
    """What a run measured. `result` is the content of result.json, `measured` has the histograms by route."""

    result: dict[str, Any]
    measured: dict[str, Measured]
    records: Records
    targets: tuple[Target, ...]

    @property
    def valid(self) -> bool:
        """Whether the generator did its part; only then do the figures speak of the target."""
        return bool(self.result["valid"])

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it; the command then exits with 130."""
        return bool(self.result["interrupted"])


RunPlan = Callable[[Plan, Endpoint, Path, Options, dict[str, Any], Progress], RunResult]


def _silent(glance: Glance) -> None:
    del glance


def replay_run(
    capture: Path,
    target: str,
    out_dir: Path,
    *,
    rate_rps: float | None = None,
    speed: float | None = None,
    ramp_rps: tuple[float, float] | None = None,
    poisson_seed: int | None = None,
    duration_s: float | None = None,
    max_bad: int = 0,
    selection: Selection | None = None,
    form: str = "",
    options: Options | None = None,
    run_plan: RunPlan | None = None,
    on_progress: Progress = _silent,
) -> RunResult:
    """`safe-harbor replay run`. Without a rate or ramp, the capture's own timing at `speed` (1.0).

    `run_plan` makes the run; by default `run`.

    Raises BadInput, HostUnreachable, CommandFailed.
    """
    if sum(pace is not None for pace in (rate_rps, speed, ramp_rps)) > 1:
        raise BadInput("give one of --rate, --speed and --ramp")
    if poisson_seed is not None and rate_rps is None:
        raise BadInput("--poisson wants --rate")
    if ramp_rps is not None and duration_s is None:
        raise BadInput("--ramp wants --duration")
    options = options or Options()
    endpoint = endpoint_of(target, options.allow, options.connect_to)
    read = read_capture(capture, max_bad, selection, form)
    if ramp_rps is not None and duration_s is not None:
        plan = ramp(read, *ramp_rps, duration_s=duration_s)
    elif rate_rps is not None and poisson_seed is not None:
        plan = poisson(read, rate_rps, poisson_seed, duration_s=duration_s)
    elif rate_rps is not None:
        plan = at_rate(read, rate_rps, duration_s=duration_s)
    else:
        plan = as_captured(read, 1.0 if speed is None else speed, duration_s=duration_s)
    about = {
        "file": str(capture),
        "format": read.form,
        "lines_bad": read.bad_lines,
        "lines": len(read) + read.skipped,
        "longest_gap_s": round(read.longest_gap_s, 3),
        "selection": (selection or Selection()).told(),
    }
    return (run_plan or run)(plan, endpoint, out_dir, options, {"capture": about}, on_progress)


def run(
    plan: Plan,
    endpoint: Endpoint,
    out_dir: Path,
    options: Options | None = None,
    about: dict[str, Any] | None = None,
    on_progress: Progress = _silent,
) -> RunResult:
    """Replays a plan in a fresh process, or in several that share it; `about` is added to result.json.

    Stopped by SIGINT, it gives the part that was measured (`interrupted`, not valid).
    Raises BadInput for bounds that cannot be, HostUnreachable where nothing listens, CommandFailed where the
    only generator died.
    """
    options = options or Options()
    check_options(options, endpoint)
    check_sources(options.source_addresses, endpoint.address)
    processes = processes_of(options.processes)
    job = job_of(plan, endpoint, options)
    check_reach(job)
    shards = sharded(job, processes) if processes > 1 else []
    out_dir.mkdir(parents=True, exist_ok=True)
    parts: list[ProcessPart] = []
    if processes == 1:
        records, course = generated(job, on_progress)
        tally = tally_of(records, plan.targets, course.timeout_s)
        reasons = reasons_invalid(tally, course)
    else:
        parts, stopped = generated_by_processes(shards, plan.targets, on_progress)
        records = records_of_all(parts, places(job, processes))
        tally, course = tally_of_all(parts, plan.targets), course_of_all(parts, stopped)
        reasons = reasons_of_all(parts)
    result = result_of(tally, plan.records, plan.skipped, course, reasons)
    result |= of_the_run(plan, endpoint, options) | (about or {})
    result["processes"] = processes
    told = zip(parts, rows(parts, plan.targets), strict=True)
    result["generators"] = [{"process": part.name, **row} for part, row in told]
    write(out_dir, result, tally.routes, records)
    return RunResult(result, tally.routes, records, plan.targets)


def job_of(plan: Plan, endpoint: Endpoint, options: Options) -> Job:
    """What a generator needs to know. Raises BadInput for sessions over HTTP/2."""
    if plan.client and options.http != "1.1":
        raise BadInput("--sessions are replayed over HTTP/1.1 only, as a session has a connection of its own")
    return Job(
        endpoint=endpoint,
        wires=wires_of(plan, endpoint),
        due_s=plan.due_s,
        target=plan.target,
        expected_status=plan.expected_status,
        client=plan.client,
        http=options.http,
        connections=options.connections,
        timeout_s=options.timeout_s,
        slo_ms=options.slo_ms,
        ca_file=options.ca_file,
        source_addresses=options.source_addresses,
        go_first=options.go_first,
        server_timing=options.server_timing,
    )


def of_the_run(plan: Plan, endpoint: Endpoint, options: Options) -> dict[str, Any]:
    """What result.json says of what was asked for."""
    return {
        "target": endpoint.url,
        "address": endpoint.where,
        "http": options.http,
        "source_addresses": list(options.source_addresses),
        "pace": plan.pace,
        "planned": len(plan),
        "connections": options.connections,
    }


def check_options(options: Options, endpoint: Endpoint, machines: int = 1) -> None:
    """Raises BadInput for bounds that cannot be on so many machines, or a CA file that is none."""
    if options.http not in HTTP_VERSIONS:
        raise BadInput(f"HTTP/{options.http} is not spoken; allowed: {' and '.join(HTTP_VERSIONS)}")
    most = MAX_CONNECTIONS * max(1, len(set(options.source_addresses))) * machines
    if not 1 <= options.connections <= most:
        raise BadInput(
            f"{options.connections} connections; allowed: 1 to {most}, and {MAX_CONNECTIONS} more for each "
            "further --source-address"
        )
    if not 0 < options.timeout_s <= 3600:
        raise BadInput(f"a time-out of {options.timeout_s} s; allowed: above 0, at most 3600")
    if endpoint.tls:
        try:
            tls_context(options.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise BadInput(f"the CA file cannot be used: {error}", options.ca_file) from error
