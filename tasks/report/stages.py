"""Reads what the stages left on disk."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from inventory.errors import BadInput
from inventory.models.resource import Survey
from inventory.models.stage import StageResult

# The way of an exit; a stage of it that left nothing is shown as not run.
ORDER = (
    "survey",
    "plan",
    "prepare",
    "network",
    "move",
    "replay",
    "capacity",
    "gate",
    "approve",
    "cutover",
    "finalize",
)


def read_stages(state: Path) -> dict[str, StageResult]:
    """The results in `<state>/stages`: the exit's order first, others (as a rollback) by their start.

    Raises BadInput for a file that is no result.
    """
    results = {}
    for path in sorted((state / "stages").glob("*.json")):
        try:
            result = StageResult.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "file"
            raise BadInput(f"not a stage's result: {where}: {first['msg']}", path) from error
        if result.name != path.stem:
            raise BadInput(f"holds the result of the stage {result.name}", path)
        results[result.name] = result
    known = [name for name in ORDER if name in results]
    others = sorted(set(results) - set(known), key=lambda name: results[name].started_at)
    return {name: results[name] for name in (*known, *others)}


def read_survey(state: Path) -> Survey | None:
    """`<state>/survey.json`, or None where no survey was taken. Raises BadInput where it is not one."""
    path = state / "survey.json"
    if not path.exists():
        return None
    try:
        return Survey.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadInput(f"not a survey: {error.errors()[0]['msg']}", path) from error
