"""Exit codes, and which exception means which."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

from cyclopts import App, CycloptsError

from inventory.errors import BadInput
from inventory.models.stage import StageResult
from tasks.drivers.errors import OutsideError
from tasks.ledger.errors import LedgerBroken

log = logging.getLogger("safe_harbor")


class Exit(IntEnum):
    """What the caller's shell sees (see docs/formats.md)."""

    DONE = 0
    NOT_A_PASS = 1
    BAD_INPUT = 2
    OUTSIDE_FAILED = 3
    LEDGER_BROKEN = 4
    INTERRUPTED = 130


KEPT = "the state is kept; `--resume` goes on from here"


class NotAPass(Exception):
    """A command judged, and the verdict is not a pass; the reasons are the message.

    `result` is that of the stage that judged, where a stage did.
    """

    def __init__(self, message: str, result: StageResult | None = None) -> None:
        super().__init__(message)
        self.result = result


@contextmanager
def then(what: str | Callable[[], str]) -> Iterator[None]:
    """Where a part fails in the block, or it is interrupted, say `what` in place of KEPT.

    A function is asked at that moment. Of nested blocks the innermost counts.
    """
    try:
        yield
    except (OutsideError, KeyboardInterrupt) as error:
        error.add_note(what if isinstance(what, str) else what())
        raise


def answering(app: App, arguments: Sequence[str]) -> int:
    """Run a command; say on stderr what went wrong; return the exit code."""
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _say(Exit.BAD_INPUT, f"{error}", "see `safe-harbor --help`")
    except BadInput as error:
        return _say(Exit.BAD_INPUT, str(error))
    except LedgerBroken as error:
        return _say(Exit.LEDGER_BROKEN, str(error))
    except OutsideError as error:
        return _say(Exit.OUTSIDE_FAILED, str(error), _hint(error))
    except KeyboardInterrupt as error:
        return _say(Exit.INTERRUPTED, "interrupted", _hint(error))
    except NotAPass as refusal:
        return _say(Exit.NOT_A_PASS, str(refusal), "nothing further was done")
    return result if isinstance(result, int) else Exit.DONE


def _hint(error: BaseException) -> str:
    notes: list[str] = getattr(error, "__notes__", [KEPT])
    return notes[0]


def _say(code: Exit, what: str, then: str = "") -> int:
    sys.stderr.write(f"safe-harbor: {what}\n" + (f"  {then}\n" if then else ""))
    return code


def print_json(document: object) -> None:
    """The one JSON document that `--json` promises on stdout."""
    json.dump(document, sys.stdout, indent=1, default=str)
    sys.stdout.write("\n")
