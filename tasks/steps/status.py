"""How far an exit is, read from what the stages left and from the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inventory.load import load_site
from inventory.models.stage import StageResult
from tasks.ledger import Entry, open_intents, read_entries
from tasks.report.stages import ORDER
from tasks.steps.stage import read_result, result_path
from tasks.steps.workplace import Workplace

STAGES = (*ORDER, "rollback")


@dataclass(frozen=True)
class ExitStatus:
    """Every stage that has run, and every intent that has no outcome yet."""

    site: str
    results: tuple[StageResult, ...]
    unfinished: tuple[Entry, ...]

    def lines(self) -> list[str]:
        """For a person."""
        ran = {result.name: result for result in self.results}
        out = [
            f"{name:<10} {ran[name].verdict:<12} {ran[name].seconds:8.1f} s  {ran[name].started_at:%F %T} UTC"
            if name in ran
            else f"{name:<10} not run"
            for name in STAGES
        ]
        out += [f"unfinished: {entry.subject} (entry {entry.index}, {entry.at})" for entry in self.unfinished]
        return out

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "site": self.site,
            "stages": [r.model_dump(mode="json", exclude={"findings", "figures"}) for r in self.results],
            "unfinished": [{"entry": e.index, "subject": e.subject, "at": e.at} for e in self.unfinished],
        }


def exit_status(site_file: Path) -> ExitStatus:
    """The status of a site's exit. Raises BadInput for a bad site file."""
    site = load_site(site_file)
    results = tuple(r for name in STAGES if (r := read_result(site.state, name)) is not None)
    trail = site.state / "ledger"
    unfinished = tuple(open_intents(read_entries(trail))) if trail.exists() else ()
    return ExitStatus(site.name, results, unfinished)


def done_before(place: Workplace, names: Sequence[str]) -> dict[str, StageResult]:
    """The leading stages that are done and whose results are the very ones that the ledger recorded."""
    recorded = {
        str(entry.body["result_sha256"])
        for entry in place.ledger.entries(kind="outcome")
        if "result_sha256" in entry.body
    }
    done: dict[str, StageResult] = {}
    for name in names:
        path = result_path(place.state, name)
        if not path.exists() or sha256_of(path) not in recorded:  # what the ledger has not is not even read
            break
        result = read_result(place.state, name)
        if result is None or not result.verdict.lets_go_on:
            break
        done[name] = result
    return done


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
