"""`replay capture`: record what customers ask, at the edge, scrubbed, as a capture for `replay run`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from flows.cli.exits import Exit, print_json
from inventory.errors import BadInput

if TYPE_CHECKING:
    from tasks.replay.recording import Recording

_LOOK_S = 0.5
_WHY = {
    "unreadable": "not of the lines that --show prints, cut off, or without an end",
    "not_drawn": "of clients that are not in the share",
    "method": "neither GET nor HEAD; the others only with --bodies",
    "not_selected": "by --host, --only, --without",
    "body_type": "a body that is neither a form nor JSON",
    "body_coded": "a compressed body",
    "body_cut": "a body that the edge did not hold whole",
}


def replay_capture(
    *,
    out: Path | None = None,
    show: str = "",
    listen: str = "127.0.0.1:5514",
    duration: float = 600,
    max_mb: float = 512,
    share: float = 1,
    bodies: Annotated[bool, Parameter(negative=())] = False,
    host: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    json: bool = False,
) -> int:
    """Record requests at an haproxy or nginx edge, scrubbed before they are written; run it on the edge.

    Example: safe-harbor replay capture --show haproxy --bodies   (the lines for the edge, and the way back)

    Example: safe-harbor replay capture --bodies --duration 600 --out capture.gor.zst

    Parameters
    ----------
    out
        The capture to write, for `replay run --capture`: a new file, which only you can read.
    show
        haproxy or nginx: print the lines that make it tell of its requests, with how to take them out.
    listen
        The loopback address and port that the edge sends its datagrams to.
    duration
        Seconds after which the recording ends.
    max_mb
        The size (MB, compressed) at which it ends.
    share
        The part of the clients that is recorded, as 0.1, each with all that it asks.
    bodies
        Record bodies (forms and JSON), and with them POST, PUT, PATCH and DELETE. Have a legal basis.
    host
        Record only requests to this host; may be given several times.
    only
        Record only paths in which this regular expression is found, as '^/product/'; several times: any.
    without
        Leave out paths in which this regular expression is found; may be given several times.
    json
        Print the statement of what was recorded and what was left out on stdout.
    """
    from tasks.replay.datagrams import Datagrams, loopback
    from tasks.replay.edges.catalog import edge_named
    from tasks.replay.recorder import Limits, record
    from tasks.replay.selection import Selection

    at = loopback(listen)
    if show:
        print(edge_named(show).lines(str(at), bodies))  # noqa: T201 - the answer of the command
        return Exit.DONE
    if out is None:
        raise BadInput("give --out FILE to record, or --show haproxy or --show nginx")
    limits = Limits(duration, max_mb)
    selection = Selection(hosts=host, only=only, without=without, unsafe=bodies)
    with Datagrams(at) as datagrams, _live(out, duration) as told:
        statement = record(out, datagrams, limits, selection, share, told)
    if not statement["recorded"]:
        out.unlink()
    if json:
        print_json(statement)
    else:
        print("\n".join(_lines(statement)))  # noqa: T201 - the answer of the command
    if statement["ended"] == "interrupted":
        return Exit.INTERRUPTED
    return Exit.DONE if statement["recorded"] else Exit.NOT_A_PASS


def _lines(statement: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{statement['received']} requests in {statement['seconds']} s, {statement['recorded']} recorded "
        f"(ended: {statement['ended']})"
    )
    for reason, count in statement["left_out"].items():
        if count:
            yield f"  {count} left out: {_WHY[reason]}"
    if statement["lost"]:
        yield f"  {statement['lost']} lost: they came faster than they were taken; give a smaller --share"
    if statement["recorded"]:
        yield f"{statement['file']}  ({statement['bytes']} bytes)"
    elif statement["received"]:
        yield "nothing was recorded, and no file kept"
    else:
        yield "nothing came: are the lines of `--show` in the edge, with this address, and was it reloaded?"


def _silent(*_: object) -> None:
    """Where stderr is no terminal."""


@contextmanager
def _live(out: Path, duration_s: float) -> Iterator[Callable[[Recording, int, float], None]]:
    """A line on stderr where that is a terminal: whether anything comes, and how long yet."""
    console = Console(stderr=True, highlight=False)
    if not sys.stderr.isatty():
        yield _silent
        return
    shown_s = -_LOOK_S
    with console.status(f"recording {out.name}") as status:

        def told(recording: Recording, size_bytes: int, passed_s: float) -> None:
            nonlocal shown_s
            if passed_s - shown_s >= _LOOK_S:
                shown_s = passed_s
                status.update(
                    f"recording {out.name}: {recording.received} requests, {recording.recorded} recorded, "
                    f"{size_bytes / 1e6:.1f} MB, {duration_s - passed_s:.0f} s left"
                )

        yield told
