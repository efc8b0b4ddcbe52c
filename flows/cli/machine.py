"""`safe-harbor doctor`: what this machine can and cannot do."""

from __future__ import annotations

from cyclopts import App

from flows.cli.exits import Exit, print_json


def register(app: App) -> None:
    """Add the doctor."""
    app.command(doctor)


def doctor(*, json: bool = False) -> int:
    """Examine this machine for a rehearsal, one line each with the remedy. Changes nothing.

    Example: safe-harbor doctor
    """
    from rehearsal.doctor import Level, as_json, examine

    observations = examine()
    if json:
        print_json(as_json(observations))
    else:
        width = max(len(each.name) for each in observations)
        for each in observations:
            remedy = f" -> {each.remedy}" if each.remedy else ""
            print(f"{each.level:<4} {each.name:<{width}}  {each.observed}{remedy}")  # noqa: T201 - the answer
    return Exit.OUTSIDE_FAILED if any(each.level == Level.FAIL for each in observations) else Exit.DONE
