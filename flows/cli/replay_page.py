"""`replay page`: what one run of `replay run` measured, or two beside each other, as a page."""

from __future__ import annotations

from pathlib import Path

from flows.cli.exits import Exit


def replay_page(run: Path, target_run: Path | None = None, *, out: Path = Path("replay.html")) -> int:
    """Write the page of a run, or of the source's and the target's run beside each other.

    Example: safe-harbor replay page runs/source runs/target --out compared.html

    Parameters
    ----------
    run
        The folder that `replay run --out` wrote; with a second one, the source's.
    target_run
        The target's.
    out
        The page, one file that loads nothing.
    """
    from tasks.report.load import read_run, render_runs

    runs = [read_run(folder) for folder in (run, target_run) if folder is not None]
    fresh = out.with_name(out.name + ".new")
    fresh.write_text(render_runs(runs), encoding="utf-8")
    fresh.replace(out)
    print(out)  # noqa: T201 - the answer of the command
    return Exit.DONE
