"""`safe-harbor rehearse`: a whole site on this machine, and the whole exit on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter, validators

from flows.cli.exits import Exit, print_json
from inventory.errors import BadInput

Fault = Literal["gate", "cutover"]
Parts = Annotated[Path | None, Parameter(help="A folder with ready programs, instead of building them.")]

_REHEARSE = """Build a whole site on this machine, run the whole exit on it, report.

Example: safe-harbor rehearse --keep

Example: safe-harbor rehearse --fault gate   (the exit must stop at the gate: exit 1)

Example: safe-harbor rehearse --deep   (machines with kernels of their own, made through libvirt)
"""


def register(app: App) -> None:
    """Add the rehearsal's commands."""
    group = App(name="rehearse", help=_REHEARSE)
    group.default(rehearse)
    for command in (setup, up, down, matrix):
        group.command(command)
    app.command(group)


def rehearse(
    *,
    out: Path = Path("build/rehearsal"),
    fault: Fault | None = None,
    deep: bool = False,
    keep: bool = False,
    parts: Parts = None,
    json: bool = False,
) -> int:
    """Build the site, run the exit on it, write the report, and take the site down.

    Example: safe-harbor rehearse --keep

    Example: safe-harbor rehearse --fault gate   (the exit must stop at the gate: exit 1)

    Example: safe-harbor rehearse --deep   (machines with kernels of their own, made through libvirt)

    Parameters
    ----------
    out
        The folder for report, survey and ledger.
    fault
        `gate` makes the target slower than the margin; `cutover` kills the target's edge at 50 %.
    deep
        Make the Oslo nodes as QEMU machines on two simulated KVM hosts, admit and prepare them, raise an
        encrypted network and prove it, reboot them, look again, and remove them. It has no AWS side, so
        nothing moves.
    keep
        Leave the site up and print how to reach each part of it.
    json
        Print report.json on stdout.
    """
    if deep and fault is not None:
        raise BadInput("--fault: a deep rehearsal has no cutover to fail; leave one of both out")
    if deep:
        from flows.rehearsing_deep import rehearse_deep

        return rehearse_deep(out.resolve(), keep=keep, ready_parts=parts, as_json=json)
    from flows.rehearsing import rehearse_exit

    return rehearse_exit(out.resolve(), fault=fault, keep=keep, ready_parts=parts, as_json=json)


def setup(*, parts: Parts = None) -> int:
    """Install the Debian packages and build the programs that the site is made of; nothing is started.

    Example: safe-harbor rehearse setup
    """
    from flows.rehearsing import make_ready

    make_ready(parts)
    return Exit.DONE


def up(*, out: Path = Path("build/rehearsal"), parts: Parts = None, json: bool = False) -> int:
    """Bring the site up and leave it up, without running the exit.

    Example: safe-harbor rehearse up && safe-harbor run rehearsal
    """
    from flows.rehearsing import bring_up
    from rehearsal.reach import how_to_reach

    site = bring_up(out.resolve(), parts)
    if json:
        programs = str(site.programs)
        print_json({"site_file": str(site.site_file), "programs": programs, "seconds": site.seconds})
    else:
        print("\n".join(how_to_reach(site.plan)))  # noqa: T201 - the answer of the command
    return Exit.DONE


def down() -> int:
    """Remove everything that a rehearsal has left on this machine, also after a crash.

    Example: safe-harbor rehearse down
    """
    from flows.rehearsing import take_down

    removed = take_down()
    sys.stderr.write("\n".join(removed) + "\n" if removed else "nothing was up\n")
    return Exit.DONE


def matrix(
    *,
    out: Path = Path("build/matrix"),
    fault: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    runs: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 20,
    beside: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    parts: Parts = None,
    json: bool = False,
) -> int:
    """Put each fault of a data plane into the site, show which check finds it, and write the matrix.

    Example: safe-harbor rehearse matrix --fault wrong-mtu --fault hairpin-off --runs 1

    Parameters
    ----------
    out
        The folder for fault-matrix.md and fault-matrix.json.
    fault
        Only these faults; all where none is named.
    runs
        How often every check runs on the healthy site, where none may alarm.
    beside
        fault-matrix.json of another run, as of a deep rehearsal: its faults stand on the page as well.
    """
    from flows.fault_matrix import fault_matrix

    return fault_matrix(out.resolve(), names=fault, runs=runs, beside=beside, ready_parts=parts, as_json=json)
