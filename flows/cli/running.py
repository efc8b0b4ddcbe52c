"""Runs flows for the command line: finds the site, starts the server, shows the progress."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from flows.cli.exits import NotAPass
from flows.cli.terminal import Terminal
from flows.memory import share_arenas
from flows.orchestrator import Server, server, usage_of, without_heartbeats
from inventory.load import find_site
from inventory.models.stage import StageResult
from rehearsal.plan import Plan

if TYPE_CHECKING:  # the drivers' libraries take a second to import: only where a site is opened
    from tasks.steps.workplace import Workplace


def site_file(name_or_path: str) -> Path:
    """The site file of a name or path. Raises BadInput, listing the known names."""
    return find_site(name_or_path, (Plan().site.parent,))


class Running:
    """An opened site with a Prefect server, for as long as the block runs."""

    def __init__(self, file: Path, *, actor: str = "", terminal: Terminal | None = None) -> None:
        self._file = file
        self._actor = actor
        self._stack = ExitStack()
        self.terminal = terminal or Terminal()
        self.place: Workplace
        self._server: Server

    def __enter__(self) -> Self:
        from tasks.steps.workplace import opened

        share_arenas()
        try:
            self._stack.callback(self.terminal.close)
            self.place = self._stack.enter_context(
                opened(self._file, progress=self.terminal, actor=self._actor)
            )
            named = os.environ.get("PREFECT_API_URL")
            self.terminal.step("starting the Prefect server")
            self._server = self._stack.enter_context(server(self.place.state / "prefect"))
            self.terminal.close()
            self.terminal.say(f"Prefect {'at' if named else 'started at'} {self._server.ui_url}")
            self._stack.enter_context(without_heartbeats())
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def orchestrator_figures(self) -> dict[str, float | str]:
        """CPU seconds and peak resident memory (MB) of this process and of the server that it started."""
        pids = [os.getpid()] + ([self._server.pid] if self._server.pid else [])
        used = [usage_of(pid) for pid in pids]
        return {
            "orchestrator_peak_rss_mb": round(sum(each.peak_rss_mb for each in used), 1),
            "orchestrator_cpu_s": round(sum(each.cpu_s for each in used), 1),
            "orchestrator_is": "this process and its Prefect server" if self._server.pid else "this process",
        }

    def stage(self, name: str, *, dry_run: bool = False, **more: Any) -> StageResult:
        """Run one flow of the site; `more` are its own arguments."""
        from flows.exit import FLOWS

        with _refusals():
            result: StageResult = FLOWS[name](str(self._file), dry_run=dry_run, **more)
        return result

    def whole_exit(
        self, *, resume: bool = False, dry_run: bool = False, until: str = ""
    ) -> list[StageResult]:
        """Run the exit flow."""
        from flows.exit import exit_flow

        with _refusals():
            return exit_flow(str(self._file), resume=resume, dry_run=dry_run, until=until)


@contextmanager
def _refusals() -> Iterator[None]:
    from tasks.steps.stage import StageRefused

    try:
        yield
    except StageRefused as refusal:
        raise NotAPass(str(refusal), refusal.result) from refusal
