"""Signed statements (evidence of grade E4): verified when read, refused by file and line.

A statement is a YAML text with one C2SP signed-note signature below it, by the key that the site file gives
its signer: the same note format and the same kind of keys as the ledger's checkpoints.
"""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

from inventory.errors import BadInput, Problem
from inventory.models.site import Site
from inventory.models.statement import Signed, Statement
from inventory.schema_errors import validate
from inventory.yaml_tree import parse
from tasks.ledger.keys import PublicKey, SigningKey, write_durably
from tasks.ledger.note import open_note, sign_note, split_note

SUFFIX = ".signed"
MAX_BYTES = 64 * 1024


def read_statements(site: Site, today: date) -> tuple[Signed, ...]:
    """Every statement of the site's folder, by file name.

    Raises BadInput for the first file that has anything wrong with it: not signed, signed by another key than
    its signer's, by nobody that the site names, expired, dated after today, or not a statement.
    """
    folder = site.processing.statements
    if folder is None:
        return ()
    return tuple(_read(site, file, today) for file in sorted(folder.glob(f"*{SUFFIX}")))


def sign_statement(draft: Path, key_file: Path, name: str) -> tuple[Path, PublicKey]:
    """Sign a draft; the statement lies beside it, with the ending `.signed`.

    The key file is made (0600) at first use. Raises BadInput where the draft is no statement, or the name is
    not its signer.
    """
    text = _text_of(draft)
    statement = _statement(draft, text)
    if statement.signer != name:
        raise BadInput(f"its signer is {statement.signer}, not {name}", draft)
    key_name = name.replace(" ", "-").replace("+", "-")
    if not key_file.exists():
        SigningKey.create(key_file, key_name)
    key = SigningKey.load(key_file, key_name)
    written = draft.with_suffix(SUFFIX)
    write_durably(written, sign_note(text.rstrip("\n") + "\n", key).encode())
    return written, key.public


def _read(site: Site, file: Path, today: date) -> Signed:
    note = _text_of(file)
    try:
        text, lines = split_note(note)
    except ValueError as error:
        raise BadInput(f"{error}; sign it: safe-harbor residency sign", file, 1) from error
    signed_at = text.count("\n") + 2  # the line of the first signature
    statement = _statement(file, text)
    tree = parse(text)
    signer = next((each for each in site.processing.signers if each.name == statement.signer), None)
    if signer is None:
        known = ", ".join(each.name for each in site.processing.signers) or "none"
        what = f"signer: {statement.signer} is nobody that may sign (processing.signers: {known})"
        raise BadInput.listing(file, [Problem(*tree.place(("signer",)), what)])
    try:
        key = PublicKey.parse(signer.key)
        open_note(note, key)
    except ValueError as error:
        what = f"the signature does not verify as {signer.name}'s: {error}"
        raise BadInput(what, file, signed_at + len(lines) - 1) from error
    if statement.expires < today:
        what = f"expires: {statement.expires} is over (today is {today}); have it stated and signed anew"
        raise BadInput.listing(file, [Problem(*tree.place(("expires",)), what)])
    if statement.dated > today:
        what = f"dated: {statement.dated} lies in the future (today is {today})"
        raise BadInput.listing(file, [Problem(*tree.place(("dated",)), what)])
    return Signed(statement, file.name, hashlib.sha256(note.encode()).hexdigest())


def _text_of(file: Path) -> str:
    try:
        raw = file.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file) from error
    if len(raw) > MAX_BYTES:
        raise BadInput(f"is larger than {MAX_BYTES // 1024} KiB, the most that is read", file)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadInput("is not UTF-8 text", file, raw[: error.start].count(b"\n") + 1) from error


def _statement(file: Path, text: str) -> Statement:
    tree = parse(text)
    if tree.problems:
        raise BadInput.listing(file, tree.problems)
    statement, problems = validate(Statement, tree)
    if statement is None or problems:
        raise BadInput.listing(file, problems)
    return statement
