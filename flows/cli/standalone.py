"""`replay` and `judge`: on a site they are stages; on a file or URL they stand alone, with no server."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from flows.cli.answers import pilot_lines, verdict_lines
from flows.cli.decision_lines import decision_lines
from flows.cli.exits import Exit, NotAPass, print_json
from flows.cli.replay_capture import replay_capture
from flows.cli.replay_compare import replay_compare
from flows.cli.replay_page import replay_page
from flows.cli.replay_run import replay_run
from flows.cli.stages import NO_OPTIONS, Common, Site, run_stage
from inventory.errors import BadInput

_REPLAY = """Replay real traffic: against both sides of a site, or one URL.

Example: safe-harbor replay oslo
"""
_JUDGE = """Judge latency and residency of a site, or the rounds of a file.

Example: safe-harbor judge oslo
"""


def register(app: App) -> None:
    """Add `capacity`, and `replay` and `judge`, each with a stand-alone command beside the stage."""
    replays = App(name="replay", help=_REPLAY)
    replays.default(replay_site)
    replays.command(replay_run, name="run")
    replays.command(replay_compare, name="compare")
    replays.command(replay_page, name="page")
    replays.command(replay_capture, name="capture")
    judges = App(name="judge", help=_JUDGE)
    judges.default(judge_site)
    judges.command(judge_latency, name="latency")
    judges.command(judge_pilot, name="pilot")
    app.command(replays)
    app.command(capacity)
    app.command(judges)


def replay_site(site: Site, options: Common = NO_OPTIONS) -> int:
    """Replay the site's capture against source and target, in interleaved rounds.

    Example: safe-harbor replay oslo
    """
    return run_stage("replay", site, options)


def capacity(site: Site, options: Common = NO_OPTIONS) -> int:
    """Load the target in steps until something breaks, and judge what rate it holds.

    Example: safe-harbor capacity oslo --dry-run
    """
    return run_stage("capacity", site, options)


def judge_site(site: Site, options: Common = NO_OPTIONS) -> int:
    """Judge the replayed rounds and the residency controls, and decide: findings, waivers, reasons, digest.

    Example: safe-harbor judge oslo
    """
    return run_stage("gate", site, options, shown=decision_lines)


def judge_latency(rounds: Path, *, margin: tuple[str, ...] = (), json: bool = False) -> int:
    """Judge recorded rounds by paired-round non-inferiority.

    Example: safe-harbor judge latency rounds.json --margin p99=0.15

    Parameters
    ----------
    rounds
        A file with rounds[] {round, side, route, requests, errors, p50_ms, p95_ms, p99_ms}.
    margin
        A margin of a percentile, as p95=0.10; may be given several times.
    json
        Print the whole judgement on stdout.
    """
    from tasks.gates.latency import judge_latency_file

    document = judge_latency_file(rounds, margins=dict(_margin(text) for text in margin))
    if json:
        print_json(document)
    else:
        print("\n".join(verdict_lines(document)))  # noqa: T201 - the answer of the command
    if document["verdict"] not in ("pass", "warn"):
        raise NotAPass(f"latency: {document['verdict']}")
    return Exit.DONE


def judge_pilot(rounds: Path, *, margin: tuple[str, ...] = (), json: bool = False) -> int:
    """Say from rounds of one side against itself (A/A) how many rounds the comparison needs.

    Example: safe-harbor judge pilot pilot.json --margin p99=0.15

    Parameters
    ----------
    rounds
        A file as for `judge latency`, 6 to 10 rounds; `source` and `target` are both the same side.
    margin
        A margin of a percentile, as p95=0.10; may be given several times.
    json
        Print the whole judgement on stdout.
    """
    from tasks.gates.pilot import judge_pilot_file

    pilot = judge_pilot_file(rounds, margins=dict(_margin(text) for text in margin))
    if json:
        print_json(pilot.document())
    else:
        print("\n".join(pilot_lines(pilot.document())))  # noqa: T201 - the answer of the command
    if not pilot.verdict.lets_go_on:
        raise NotAPass(f"pilot: {pilot.verdict}")
    return Exit.DONE


def _margin(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    if name not in ("p50", "p95", "p99") or not equals:
        raise BadInput(f"--margin {text}: write p50=0.05, p95=0.10 or p99=0.15")
    try:
        margin = float(value)
    except ValueError as error:
        raise BadInput(f"--margin {text}: {value!r} is not a number") from error
    if not 0 < margin < 10:
        raise BadInput(f"--margin {text}: a margin lies between 0 and 10 (0.10 is 10 %)")
    return name, margin
