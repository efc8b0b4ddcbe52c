"""A statement is taken as its signer signed it, while in force, and refused by file and line otherwise."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.load import load_site
from inventory.models.processing import Processing, Signer
from inventory.models.site import Site
from tasks.steps.statements import read_statements, sign_statement
from tests.inventory.sites import whole

TODAY = date(2026, 11, 23)
NAME = "Kari Nordmann"
DRAFT = f"""schema: safe-harbor/statement/v1
control: LEG-02
subject: Nordpost AS
signer: {NAME}
dated: 2026-11-01
expires: 2027-05-01
holds: true
says: the contract has no such clause
documents:
  - {{title: contract, sha256: {"a" * 64}}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site whose folder has one signed statement, `s.signed`."""
    folder = tmp_path / "statements"
    folder.mkdir()
    (folder / "s.yaml").write_text(DRAFT)
    _, key = sign_statement(folder / "s.yaml", tmp_path / "kari.key", NAME)
    processing = Processing(signers=(Signer(name=NAME, key=key.line()),), statements=folder)
    return load_site(whole(tmp_path)).model_copy(update={"processing": processing})


def file_of(site: Site) -> Path:
    assert site.processing.statements is not None
    return site.processing.statements / "s.signed"


def refusal(site: Site, today: date = TODAY) -> str:
    with pytest.raises(BadInput) as refused:
        read_statements(site, today)
    return str(refused.value).replace(f"{file_of(site).parent}/", "")


def test_a_signed_statement_is_read_and_the_key_is_its_owners_alone(site: Site, tmp_path: Path) -> None:
    (found,) = read_statements(site, TODAY)
    assert (found.file, found.statement.control, found.statement.holds) == ("s.signed", "LEG-02", True)
    assert (tmp_path / "kari.key").stat().st_mode & 0o777 == 0o600


def test_it_is_in_force_until_and_with_its_last_day(site: Site) -> None:
    assert read_statements(site, date(2027, 5, 1))
    assert refusal(site, date(2027, 5, 2)).startswith("s.signed:6:10: expires: 2027-05-01 is over")
    assert refusal(site, date(2026, 10, 31)).startswith("s.signed:5:8: dated: 2026-11-01 lies in the future")


def test_one_changed_letter_is_refused_at_the_signatures_line(site: Site) -> None:
    file = file_of(site)
    file.write_text(file.read_text().replace("no such clause", "no bad clause"))
    assert refusal(site).startswith(f"s.signed:12: the signature does not verify as {NAME}'s")


def test_another_key_of_the_same_name_is_refused(site: Site, tmp_path: Path) -> None:
    sign_statement(file_of(site).with_suffix(".yaml"), tmp_path / "other.key", NAME)
    assert "the signature does not verify" in refusal(site)


def test_a_signer_whom_the_site_does_not_name_is_refused(site: Site) -> None:
    stranger = Processing(statements=site.processing.statements)
    said = refusal(site.model_copy(update={"processing": stranger}))
    assert said.startswith(f"s.signed:4:9: signer: {NAME} is nobody that may sign (processing.signers: none)")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "s.signed:1: not a signed note"),
        (DRAFT.encode(), "s.signed:1: not a signed note"),
        (b"\xff\xfe", "s.signed:1: is not UTF-8 text"),
        (b"x" * 70_000, "s.signed: is larger than 64 KiB"),
    ],
)
def test_what_is_no_signed_statement_is_refused(content: bytes, said: str, site: Site) -> None:
    file_of(site).write_bytes(content)
    assert refusal(site).startswith(said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("control: LEG-02", "control: LEG2", "d.yaml:2:10: control:"),
        ("holds: true", "holds: maybe", "d.yaml:7:8: holds:"),
        ("says: ", "sais: ", "unknown key sais; did you mean says?"),
        ("expires: 2027-05-01", "expires: 2026-01-01", "expires 2026-01-01 lies before dated 2026-11-01"),
    ],
)
def test_a_draft_that_is_no_statement_is_not_signed(old: str, new: str, said: str, tmp_path: Path) -> None:
    draft = tmp_path / "d.yaml"
    draft.write_text(DRAFT.replace(old, new))
    with pytest.raises(BadInput) as refused:
        sign_statement(draft, tmp_path / "k", NAME)
    assert said in str(refused.value)
    assert not (tmp_path / "k").exists()
