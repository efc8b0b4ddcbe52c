"""The stages of an exit as commands, and the whole exit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from flows.cli.exits import Exit, NotAPass, print_json
from flows.cli.running import Running, site_file
from inventory.errors import BadInput
from inventory.models.stage import StageResult
from tasks.drivers.errors import OutsideError


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every stage.

    Parameters
    ----------
    json
        One JSON document on stdout; progress goes to stderr.
    dry_run
        Print exactly what a real run would do: change, send, record; and do nothing of it.
    actor
        Who acts, as it will stand in the ledger; by default the user of this process.
    """

    json: bool = False
    dry_run: bool = False
    actor: str = ""


Site = Annotated[str, Parameter(help="A folder of inventory/sites/, `rehearsal`, or a path to a site file.")]
NO_OPTIONS = Common()


def register(app: App) -> None:
    """Add the stage commands."""
    for command in (survey, plan, prepare, move, approve, cutover, rollback, finalize):
        app.command(command)
    for other in (run, status, report):
        app.command(other)


def survey(site: Site, options: Common = NO_OPTIONS) -> int:
    """List what runs on AWS and in both clusters, with the coverage of every enumeration.

    Example: safe-harbor survey oslo
    """
    return run_stage("survey", site, options)


def plan(site: Site, options: Common = NO_OPTIONS) -> int:
    """Show on one page what will be created, moved and changed. Touches nothing.

    Example: safe-harbor plan oslo
    """
    return run_stage("plan", site, options)


def prepare(site: Site, options: Common = NO_OPTIONS, *, undo: bool = False) -> int:
    """Admit the Oslo nodes, tune their kernels, install and join the cluster. A second run makes 0 changes.

    Example: safe-harbor prepare oslo --dry-run

    Parameters
    ----------
    undo
        Put the nodes' settings (files and live values) back to what they were before; `--dry-run` shows it.
    """
    return run_stage("unprepare" if undo else "prepare", site, options)


def move(site: Site, options: Common = NO_OPTIONS) -> int:
    """Copy images, objects, the database and the bucket, and prove the copies. Repeat it as you like.

    Example: safe-harbor move oslo
    """
    return run_stage("move", site, options)


def approve(site: Site, options: Common = NO_OPTIONS) -> int:
    """Approve the gate's decision: by the site file, at the prompt, or in the form of the Prefect UI.

    Example: safe-harbor approve oslo
    """
    return run_stage("approve", site, options)


def cutover(site: Site, options: Common = NO_OPTIONS) -> int:
    """Shift traffic step by step, change the database over, then DNS. Needs an approval.

    Example: safe-harbor cutover oslo
    """
    return run_stage("cutover", site, options)


def rollback(site: Site, options: Common = NO_OPTIONS) -> int:
    """Take the shop back to the source, with every order that was made at the target.

    Example: safe-harbor rollback oslo
    """
    return run_stage("rollback", site, options)


def finalize(site: Site, options: Common = NO_OPTIONS) -> int:
    """Stop what is left at the source: the point of no return. Refused before the soak is over.

    Example: safe-harbor finalize oslo
    """
    return run_stage("finalize", site, options)


def run(site: Site, options: Common = NO_OPTIONS, *, resume: bool = False, until: str = "") -> int:
    """Run the whole exit.

    survey, plan, prepare, network, move, replay, capacity, gate, approve, cutover, finalize.

    Example: safe-harbor run oslo --resume

    Parameters
    ----------
    resume
        Skip the stages that are done and go on with the first that is not.
    until
        The last stage to run, as `gate`.
    """
    file = site_file(site)
    names = _exit_stages()
    if until and until not in names:
        raise BadInput(f"--until {until}: there is no such stage; known: {', '.join(names)}")
    if not options.dry_run and names.index(until or names[-1]) >= names.index("replay"):
        _require_capture(file)
    with Running(file, actor=options.actor) as running:
        try:
            results = running.whole_exit(resume=resume, dry_run=options.dry_run, until=until)
        except NotAPass:
            _close(running, _until_stopped(running), options)
            raise
        except OutsideError:
            running.terminal.table(_until_stopped(running))
            raise
        _close(running, results, options)
    return Exit.DONE


def status(site: Site, *, json: bool = False) -> int:
    """Say how far the exit is: each stage with its verdict, and intents without an outcome.

    Example: safe-harbor status oslo
    """
    from tasks.steps.status import exit_status

    state = exit_status(site_file(site))
    if json:
        print_json(state.as_json())
    else:
        for line in state.lines():
            print(line)  # noqa: T201 - the answer of the command
    return Exit.DONE


def report(site: Site, *, out: Path | None = None, json: bool = False) -> int:
    """Write report.html and report.json from what the stages have recorded.

    Example: safe-harbor report oslo --out build/report

    Parameters
    ----------
    out
        The folder to write to; by default the site's state folder.
    """
    from tasks.steps.report import write_report
    from tasks.steps.workplace import opened

    with opened(site_file(site)) as place:
        written = write_report(out or place.state)
    if json:
        print_json({"html": str(written.html), "json": str(written.json)})
    else:
        print(f"{written.html}\n{written.json}")  # noqa: T201 - the answer of the command
    return Exit.DONE


def run_stage(
    name: str,
    site: str,
    options: Common,
    *,
    shown: Callable[[StageResult], list[str]] | None = None,
    **more: Any,
) -> int:
    """Run one flow on a site, `more` being its own arguments, and show what came of it.

    `shown` gives the lines for stdout, of a result that is a pass or not, where no JSON is asked for.
    """
    file = site_file(site)
    if name in ("replay", "capacity"):
        _require_capture(file)
    with Running(file, actor=options.actor) as running:
        try:
            result = running.stage(name, dry_run=options.dry_run, **more)
        except NotAPass as refusal:
            if refusal.result is not None:
                _show(refusal.result, options, shown)
            raise
        _show(result, options, shown)
    return Exit.DONE


def _show(result: StageResult, options: Common, shown: Callable[[StageResult], list[str]] | None) -> None:
    if options.json:
        print_json(result.model_dump(mode="json"))
    elif shown is not None:
        print("\n".join(shown(result)))  # noqa: T201 - the answer of the command


def _exit_stages() -> tuple[str, ...]:
    """The names of the exit's stages, in their order."""
    from tasks.steps.status import STAGES

    return STAGES[: STAGES.index("finalize") + 1]


def _require_capture(file: Path) -> None:
    """Raises BadInput for a capture with a broken line, before anything is begun."""
    from inventory.load import load_site
    from tasks.replay.declared import capture_of

    capture_of(load_site(file).replay)


def _close(running: Running, results: list[StageResult], options: Common) -> None:
    if options.json:
        print_json([result.model_dump(mode="json") for result in results])
    else:
        running.terminal.table(results)


def _until_stopped(running: Running) -> list[StageResult]:
    """The results up to the stage that stopped a run, oldest first, with those that it skipped as done."""
    from tasks.steps.stage import read_result

    ran = running.terminal.ended
    if not ran:
        return []
    names = _exit_stages()
    # Machines are made before the preparation; that stage is none of every exit.
    first = names.index(ran[0].name if ran[0].name in names else "prepare")
    skipped = (read_result(running.place.state, name) for name in names[:first])
    return [*(each for each in skipped if each is not None), *ran]
