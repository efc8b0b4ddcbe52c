"""`safe-harbor doctor`: what this machine can and cannot do, and what ails a cluster."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from flows.cli.exits import Exit, print_json


def register(app: App) -> None:
    """Add the doctor."""
    app.command(doctor)


def doctor(
    site: Annotated[str, Parameter(help="A site, or the path of a site's or a cluster's file.")] = "",
    *,
    json: bool = False,
) -> int:
    """Examine a cluster, ours or not, by every check that applies; or this machine for a rehearsal.

    It only reads, and says of each finding what mends it. Without a site it examines this machine.

    Example: safe-harbor doctor oslo --json
    """
    return _cluster(site, json=json) if site else _machine(json=json)


def _cluster(site: str, *, json: bool) -> int:
    from flows.cli.diagnosis import document, exit_code, show
    from flows.cli.running import site_file
    from flows.cli.terminal import Terminal
    from tasks.steps.examination import examine

    file = site_file(site)
    terminal = Terminal()
    terminal.stage_started("doctor")
    try:
        found = examine(file, terminal.step)
    finally:
        terminal.close()
    if json:
        print_json(document(found))
    else:
        show(found)
    return exit_code(found)


def _machine(*, json: bool) -> int:
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
