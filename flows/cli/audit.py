"""`safe-harbor audit`: read, verify, export and witness a ledger, with no site and no server."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from flows.cli.exits import Exit, print_json

_AUDIT = """Read, verify, export and witness the audit trail.

Example: safe-harbor audit verify build/rehearsal/ledger
"""


def register(app: App) -> None:
    """Add the audit commands."""
    group = App(name="audit", help=_AUDIT)
    for command in (show, verify, export, witness):
        group.command(command)
    app.command(group)


def show(path: Path, *, json: bool = False) -> int:
    """List the entries of a ledger, oldest first.

    Example: safe-harbor audit show build/rehearsal/ledger
    """
    from tasks.ledger import read_entries

    entries = read_entries(path)
    if json:
        print_json([entry.as_json() for entry in entries])
    else:
        for entry in entries:
            print(entry)  # noqa: T201 - the answer of the command
    return Exit.DONE


def verify(path: Path, *, key: str = "", json: bool = False) -> int:
    """Recompute every hash and signature of a ledger or an export; exit 4 where anything does not fit.

    Example: safe-harbor audit verify build/rehearsal/ledger

    Parameters
    ----------
    key
        The verifier key that you were given by another way; without it any key that fits is taken.
    """
    from tasks.ledger import verify as verify_ledger

    verified = verify_ledger(path, key=key)
    if json:
        print_json(verified.as_json())
    else:
        print(verified)  # noqa: T201 - the answer of the command
    return Exit.LEDGER_BROKEN if verified.problems else Exit.DONE


def export(path: Path, out: Path) -> int:
    """Write a bundle that anyone verifies with Python alone: entries, proofs, checkpoint, keys, verifier.

    Example: safe-harbor audit export build/rehearsal/ledger /tmp/trail
    """
    from tasks.ledger import export as export_ledger

    export_ledger(path, out)
    print(out)  # noqa: T201 - the answer of the command
    return Exit.DONE


def witness(path: Path, key: Path) -> int:
    """Verify the ledger and cosign its last checkpoint with the witness's own key.

    Example: safe-harbor audit witness build/rehearsal/ledger /root/dpo.key
    """
    from tasks.ledger import witness as witness_ledger

    print(witness_ledger(path, key))  # noqa: T201 - the answer of the command
    return Exit.DONE
