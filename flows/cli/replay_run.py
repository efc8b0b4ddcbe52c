"""`replay run`: a capture against one URL, with neither a site nor a server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from flows.cli.answers import summary
from flows.cli.exits import Exit, print_json
from flows.cli.replay_connecting import Connecting, options_of
from flows.cli.replay_spread import ALONE, Spreading, run_plan_of
from flows.cli.replay_view import replay_view
from inventory.errors import BadInput

if TYPE_CHECKING:
    from tasks.replay.selection import Selection


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Selected:
    """What of the capture is replayed.

    Parameters
    ----------
    format
        combined, json, alb, har, k6, vegeta, vegeta-json or goreplay; by default the content tells.
    max_bad
        How many broken lines of the capture are tolerated.
    host
        Replay only requests to this host, where the capture names hosts; may be given several times.
    only
        Replay only paths in which this regular expression is found, as '^/product/'; several times: any.
    without
        Leave out paths in which this regular expression is found; may be given several times.
    rewrite
        REGEX=>REPLACEMENT on path and query, as '^/old/=>/new/'; several are applied in order.
    unsafe
        Replay POST, PUT, PATCH and DELETE too, where the capture has bodies. They change the target.
    scrub
        Take Authorization, Cookie, tokens, e-mail addresses, national identity and card numbers out.
    """

    format: str = ""
    max_bad: int = 0
    host: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    rewrite: tuple[str, ...] = ()
    unsafe: Annotated[bool, Parameter(negative=())] = False
    scrub: bool = True


_ALL, _PLAIN = Selected(), Connecting()


def selection_of(selected: Selected, *, sessions: bool = False) -> Selection:
    """As the replay knows it."""
    from tasks.replay.selection import Selection

    return Selection(
        hosts=selected.host,
        only=selected.only,
        without=selected.without,
        rewrites=selected.rewrite,
        unsafe=selected.unsafe,
        scrub=selected.scrub,
        sessions=sessions,
    )


def replay_run(
    *,
    capture: Path,
    target: str,
    out: Path,
    rate: float | None = None,
    speed: float | None = None,
    ramp: str = "",
    poisson: bool = False,
    seed: int = 1,
    duration: float | None = None,
    sessions: Annotated[bool, Parameter(negative=())] = False,
    processes: int = 1,
    connecting: Connecting = _PLAIN,
    selected: Selected = _ALL,
    spreading: Spreading = ALONE,
    json: bool = False,
) -> int:
    """Replay a capture against one URL; only loopback and allowed addresses are loaded.

    Example: safe-harbor replay run --capture access.log --target http://127.0.0.1:8080 --rate 500 --out r

    Example: safe-harbor replay run --capture alb.log.gz --target http://[::1] --speed 2 --only ^/cart --out r

    Parameters
    ----------
    capture
        An access log (combined, JSON, ALB), HAR, k6, vegeta or goreplay file; plain, gzip or zstd.
    target
        The base URL to load.
    out
        The folder for result.json and the histograms.
    rate
        Requests per second, at a fixed pace.
    speed
        The capture's own timing, times this factor.
    ramp
        FROM:TO requests per second, rising (or falling) evenly over --duration, as 100:1000.
    poisson
        With --rate: arrivals at random instants, as of many customers who do not know of each other.
    seed
        Of --poisson; it stands in result.json.
    duration
        Seconds after which the schedule ends.
    sessions
        Each client of the capture keeps one connection, and the cookies that the target sets.
    processes
        So many processes of this machine share the load, one a core; 0 takes all cores but one.
    json
        Print result.json on stdout.
    """
    from tasks.replay.run import replay_run as replay_capture

    if sum((rate is not None, speed is not None, bool(ramp))) != 1:
        raise BadInput("give either --rate RPS, --speed FACTOR or --ramp FROM:TO")
    with replay_view(f"replaying {capture.name}") as told:
        result = replay_capture(
            capture,
            target,
            out,
            rate_rps=rate,
            speed=speed,
            ramp_rps=_ramp(ramp) if ramp else None,
            poisson_seed=seed if poisson else None,
            duration_s=duration,
            max_bad=selected.max_bad,
            form=selected.format,
            selection=selection_of(selected, sessions=sessions),
            options=replace(options_of(connecting), processes=processes),
            run_plan=run_plan_of(spreading),
            on_progress=told,
        )
    if json:
        print_json(result.result)
    else:
        print(summary(result.result, out))  # noqa: T201 - the answer of the command
    if result.interrupted:
        return Exit.INTERRUPTED
    return Exit.DONE if result.valid else Exit.NOT_A_PASS


def _ramp(text: str) -> tuple[float, float]:
    first, _, last = text.partition(":")
    try:
        return float(first), float(last)
    except ValueError as error:
        raise BadInput(f"--ramp {text} is not FROM:TO requests per second, as 100:1000") from error
