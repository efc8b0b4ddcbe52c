"""`safe-harbor residency`: what the residency controls stand on. No flow, no server, no ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cyclopts import App

from flows.cli.exits import Exit, print_json
from flows.cli.running import site_file
from flows.cli.stages import Site
from inventory.load import load_site

_RESIDENCY = """Observe egress and round trips, sign statements, write the record of processing.

Example: safe-harbor residency record oslo
"""


def register(app: App) -> None:
    """Add the residency commands."""
    group = App(name="residency", help=_RESIDENCY)
    for command in (observe, sign, statements, record):
        group.command(command)
    app.command(group)


def observe(site: Site, *, vantage: str = "", json: bool = False) -> int:
    """Look at each node's connections once, and from a vantage measure its round trip; keep both.

    Where companies are declared by host names, each node resolves them: an address is then known by its name.

    Example: safe-harbor residency observe oslo --vantage nix1

    Parameters
    ----------
    vantage
        Where this command runs: a name of processing.vantages. Without it no round trip is measured.
    json
        Print the observations on stdout.
    """
    from tasks.steps.observe import observe as look_at

    seen = look_at(load_site(site_file(site)), vantage)
    if json:
        print_json([each.model_dump(mode="json", by_alias=True) for each in seen])
        return Exit.DONE
    for each in seen:
        egress = (
            "not seen: " + each.unseen if each.egress is None else f"{len(each.egress)} destinations outside"
        )
        trip = f", {each.round_trip_ms:.3f} ms from {each.vantage}" if each.round_trip_ms else ""
        print(f"{each.node}: {egress}{trip}")  # noqa: T201 - the answer of the command
    return Exit.DONE


def sign(draft: Path, key: Path, signer: str) -> int:
    """Sign a statement; it is written beside the draft, with the ending .signed.

    Example: safe-harbor residency sign leg-03.yaml /root/kari.key "Kari Nordmann"

    Parameters
    ----------
    draft
        The statement, YAML (docs/formats.md).
    key
        The signer's key file; made (0600) at first use.
    signer
        The signer's name, as in the statement.
    """
    from tasks.steps.statements import sign_statement

    written, public = sign_statement(draft, key, signer)
    print(f"{written}\nverifier key {public.line()}")  # noqa: T201 - the answer of the command
    return Exit.DONE


def statements(site: Site, *, json: bool = False) -> int:
    """Verify the site's signed statements and list them; one that is refused is named by file and line.

    Example: safe-harbor residency statements oslo
    """
    from tasks.steps.statements import read_statements

    found = read_statements(load_site(site_file(site)), datetime.now(UTC).date())
    if json:
        print_json([each.statement.model_dump(mode="json", by_alias=True) for each in found])
        return Exit.DONE
    for each in found:
        it = each.statement
        holds = "holds" if it.holds else "does not hold"
        line = f"{each.file}: {it.control} {it.subject} {holds}, {it.signer}, until {it.expires}"
        print(line)  # noqa: T201 - the answer of the command
    return Exit.DONE


def record(site: Site, *, json: bool = False) -> int:
    """Write the record of processing (Art. 30) and a skeleton of the transfer assessment, on stdout.

    It is kept under its digest, so that what changes after somebody signed it can be named.

    Example: safe-harbor residency record oslo
    """
    from inventory.record_page import record_page
    from tasks.steps.record import record as record_of_site

    made = record_of_site(load_site(site_file(site)))
    if json:
        print_json(made)
    else:
        print(record_page(made))  # noqa: T201 - the answer of the command
    return Exit.DONE
