"""Draws the page of the replayed rounds in a process of its own, while the stage goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace

PAGE = "replay.html"  # in the state's folder
WITHIN_S = 300.0


@contextmanager
def page_of(place: Workplace, draft: Draft, kept: Mapping[str, Sequence[Path]]) -> Iterator[None]:
    """Draws while the block runs, and waits for it; without a valid round there is nothing to draw.

    A page that could not be drawn is told (`figures.page_error`): the rounds stand without it.
    """
    out = place.state / PAGE
    out.unlink(missing_ok=True)  # an older replay's
    if not all(kept[side] for side in ("source", "target")):
        yield
        return
    words = [word for side in ("source", "target") for word in (f"--{side}", *map(str, kept[side]))]
    argv = [sys.executable, "-m", "tasks.report.rounds_page", str(out), *words]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as drawing:
        try:
            yield
            place.progress.step("drawing the page of the rounds")
            _, said = drawing.communicate(timeout=WITHIN_S)
        except subprocess.TimeoutExpired:
            drawing.kill()
            said = f"not drawn in {WITHIN_S:g} s"
        except BaseException:
            drawing.kill()
            raise
    if drawing.returncode == 0:
        draft.figures["page"] = PAGE
        return
    draft.figures["page_error"] = said.strip()[-500:] or f"ended with {drawing.returncode}"
    place.progress.say(f"the page of the rounds could not be drawn: {draft.figures['page_error']}")
