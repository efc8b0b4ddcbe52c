"""How a running exit tells a person where it is; the terminal's version lives with the command line."""

from __future__ import annotations

import logging
from typing import Protocol

from inventory.models.finding import Finding
from inventory.models.stage import StageResult

log = logging.getLogger("safe_harbor")


class Progress(Protocol):
    """Told of everything that a waiting person wants to see."""

    def stage_started(self, name: str) -> None:
        """A stage begins."""

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """What goes on now; `total` 0 means that the end is not known."""

    def pause(self) -> None:
        """Draw nothing until the next call: a person is about to type."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def found(self, finding: Finding) -> None:
        """A finding that is not a plain pass."""

    def stage_ended(self, result: StageResult) -> None:
        """A stage is over."""


class Logged:
    """Progress for runs without a terminal: one log line each."""

    def stage_started(self, name: str) -> None:
        """See `Progress`."""
        log.info("stage %s", name)

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """See `Progress`."""
        log.info("%s%s", text, f" ({done}/{total})" if total else "")

    def pause(self) -> None:
        """See `Progress`; log lines are not drawn."""

    def say(self, text: str) -> None:
        """See `Progress`."""
        log.info("%s", text)

    def found(self, finding: Finding) -> None:
        """See `Progress`."""
        log.warning("%s %s: %s: %s", finding.verdict, finding.code, finding.subject, finding.observed)

    def stage_ended(self, result: StageResult) -> None:
        """See `Progress`."""
        log.info("stage %s: %s in %.1f s", result.name, result.verdict, result.seconds)
