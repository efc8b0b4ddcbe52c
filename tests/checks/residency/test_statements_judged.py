"""Controls that stand on signed statements: absent, not whole, contradicted, or held."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from inventory.models.finding import Grade
from inventory.models.processing import Processing, Processor
from inventory.models.resource import CoverageStatus
from inventory.models.statement import Document, Signed, Statement
from inventory.models.trail import Cosigned, Trail
from inventory.models.verdict import Verdict
from inventory.record import record_digest, record_of
from tasks.checks.context import Residency
from tasks.checks.registry import Check
from tasks.checks.residency import aud_01, exit_01, leg_01, leg_02, leg_03, leg_04
from tests.checks.residency.world import ALL, one, run, survey_of, with_status, world

POST = Processor(name="Nordpost AS", country="NO", purpose="delivery of parcels", data=("names",))
MAIL = Processor(name="Mail Inc", country="IE", parent="Mail Corp", parent_country="US", purpose="mail")
CONTRACT = (Document(title="contract", sha256="a" * 64),)


def signed(control: str, subject: str, *, day: int = 1, holds: bool = True, **facts: str) -> Signed:
    statement = Statement(
        schema="safe-harbor/statement/v1",
        control=control,
        subject=subject,
        signer="Kari Nordmann",
        dated=date(2026, 11, day),
        expires=date(2027, 5, 1),
        holds=holds,
        says="as the contract of 2026-10-01 says",
        facts=facts,
        documents=CONTRACT,
    )
    return Signed(statement, f"{control}-{day}.signed", hashlib.sha256(subject.encode()).hexdigest())


def processing(context: Residency, **fields: Any) -> Any:
    return context.site.model_copy(update={"processing": Processing(**fields)})


def with_processors(folder: Path, *companies: Processor, statements: tuple[Signed, ...] = ()) -> Residency:
    site = processing(world(folder), processors=companies)
    return world(folder, site=site, statements=statements)


@pytest.mark.parametrize(
    ("check", "subject"),
    [
        (leg_01.CHECK, "no-processors"),
        (leg_02.CHECK, "no-processors"),
        (leg_03.CHECK, "no-transfers"),
        (leg_04.CHECK, "record"),
        (aud_01.CHECK, "trail"),
    ],
    ids=lambda value: value.code if isinstance(value, Check) else value,
)
def test_without_a_statement_there_is_no_data(check: Check, subject: str, tmp_path: Path) -> None:
    finding = one(check, world(tmp_path), subject)
    assert finding.verdict is Verdict.NODATA
    assert "safe-harbor residency" in finding.remedy


def test_the_newest_statement_counts_and_one_that_does_not_hold_fails(tmp_path: Path) -> None:
    old = signed("LEG-02", "Nordpost AS", day=1)
    new = signed("LEG-02", "Nordpost AS", day=2, holds=False)
    assert one(leg_02.CHECK, with_processors(tmp_path, POST, statements=(new, old)), POST.name).verdict is (
        Verdict.FAIL
    )
    held = one(leg_02.CHECK, with_processors(tmp_path, POST, statements=(old,)), POST.name)
    assert held.verdict is Verdict.PASS
    assert [each.grade for each in held.evidence] == [Grade.E4]


def test_a_parent_outside_the_eea_fails_and_one_that_is_not_declared_so_too(tmp_path: Path) -> None:
    def stated(parent_country: str) -> tuple[Signed, ...]:
        facts = {
            "entity": "Mail Ltd",
            "country": "IE",
            "parent": "Mail Corp",
            "parent_country": parent_country,
        }
        return (signed("LEG-01", MAIL.name, **facts),)

    abroad = one(leg_01.CHECK, with_processors(tmp_path, MAIL, statements=stated("US")), MAIL.name)
    assert abroad.verdict is Verdict.FAIL
    other = one(leg_01.CHECK, with_processors(tmp_path, MAIL, statements=stated("IE")), MAIL.name)
    assert "the site file declares IE and US" in other.observed
    facts = {"entity": "Nordpost AS", "country": "NO", "parent": "Nordpost ASA", "parent_country": "NO"}
    home = with_processors(tmp_path, POST, statements=(signed("LEG-01", POST.name, **facts),))
    assert one(leg_01.CHECK, home, POST.name).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, Verdict.NODATA),
        ({"basis": "safe-harbor"}, Verdict.NODATA),
        ({"basis": "art-45"}, Verdict.NODATA),
        ({"basis": "art-45", "listed_on": "2024-02-01"}, Verdict.PASS),
        ({"basis": "art-46", "assessment": "TIA 7"}, Verdict.PASS),
        ({"basis": "art-49", "derogation": "(1)(b)"}, Verdict.WARN),
    ],
)
def test_a_transfer_needs_a_basis_with_what_it_stands_on(
    facts: dict[str, str], expected: Verdict, tmp_path: Path
) -> None:
    context = with_processors(tmp_path, MAIL, statements=(signed("LEG-03", MAIL.name, **facts),))
    assert one(leg_03.CHECK, context, MAIL.name).verdict is expected


def test_a_record_that_was_signed_before_something_changed_fails(tmp_path: Path) -> None:
    whole = {
        "contact": "dpo@fjordshop.example",
        "purposes": ("orders",),
        "subjects": ("customers",),
        "data": ("names",),
        "retention": "five years",
        "security": ("TLS",),
    }
    site = processing(world(tmp_path), **whole)
    statement = signed("LEG-04", "record", record_sha256=record_digest(record_of(site, survey_of())))
    current = world(tmp_path, site=site, statements=(statement,))
    assert one(leg_04.CHECK, current, "record").verdict is Verdict.PASS
    fewer = world(tmp_path, site=site, statements=(statement,), survey=survey_of(ALL[1:]))
    assert one(leg_04.CHECK, fewer, "record").verdict is Verdict.FAIL
    later = survey_of().model_copy(update={"observed_at": "2026-11-24T00:00:00+00:00"})
    again = world(tmp_path, site=site, statements=(statement,), survey=later)
    assert one(leg_04.CHECK, again, "record").verdict is Verdict.PASS
    bare = world(tmp_path)
    undeclared = signed("LEG-04", "record", record_sha256=record_digest(record_of(bare.site, bare.survey)))
    finding = one(leg_04.CHECK, world(tmp_path, statements=(undeclared,)), "record")
    assert finding.verdict is Verdict.NODATA
    assert "does not declare contact" in finding.observed


def test_what_changed_in_a_signed_record_is_named_where_it_was_kept(tmp_path: Path) -> None:
    signed_one = record_of(world(tmp_path).site, survey_of())
    digest = record_digest(signed_one)
    statement = signed("LEG-04", "record", record_sha256=digest)
    now = {"survey": survey_of(ALL[1:]), "statements": (statement,)}
    kept = one(leg_04.CHECK, world(tmp_path, records={digest: signed_one}, **now), "record")
    assert kept.verdict is Verdict.FAIL
    assert kept.observed.endswith("found.resources.s3/us-east-1/bucket: gone, was 1")
    lost = one(leg_04.CHECK, world(tmp_path, **now), "record")
    assert lost.verdict is Verdict.FAIL
    assert "the signed one was not kept" in lost.observed


def test_the_ledger_itself_is_looked_at(tmp_path: Path) -> None:
    def judged(trail: Trail | None) -> dict[str, Verdict]:
        found = {each.subject: each.verdict for each in run(aud_01.CHECK, world(tmp_path, trail=trail))}
        return {subject: verdict for subject, verdict in found.items() if subject != "trail"}

    alone = Trail("/state/ledger", 7, "ab" * 32, 2)
    dpo = Cosigned("the DPO", 5, datetime(2026, 11, 20, tzinfo=UTC), "dpo.note")
    assert judged(None) == {"ledger": Verdict.NODATA}
    assert judged(alone) == {"ledger": Verdict.PASS, "witness": Verdict.NODATA}
    assert judged(replace(alone, cosigned=(dpo,))) == {"ledger": Verdict.PASS, "witness": Verdict.PASS}
    assert judged(replace(alone, cosigned=(dpo,), problems=("entry 3: changed",))) == {"ledger": Verdict.FAIL}
    said = one(aud_01.CHECK, world(tmp_path, trail=replace(alone, cosigned=(dpo,))), "witness").observed
    assert "the DPO cosigned 5 of 7 entries" in said
    assert "no time-stamp of an authority" in said


def test_the_trail_in_a_third_country_fails(tmp_path: Path) -> None:
    facts = {"storage": "vault", "storage_country": "NO", "witness": "the DPO", "timestamps": "none"}
    for country, expected in (("NO", Verdict.PASS), ("US", Verdict.FAIL)):
        statement = signed("AUD-01", "trail", witness_country=country, **facts)
        assert one(aud_01.CHECK, world(tmp_path, statements=(statement,)), "trail").verdict is expected


def test_an_exit_is_proved_by_the_survey_and_a_statement_together(tmp_path: Path) -> None:
    erased = (signed("EXIT-01", "erasure", erased_on="2026-11-20"),)
    nothing = survey_of([])

    def after(**changes: Any) -> Verdict:
        return one(exit_01.CHECK, world(tmp_path, phase="after-finalize", **changes), "aws").verdict

    assert one(exit_01.CHECK, world(tmp_path), "aws").verdict is Verdict.WARN
    assert after() is Verdict.NODATA
    assert after(statements=erased) is Verdict.FAIL
    assert after(survey=nothing) is Verdict.NODATA
    assert after(survey=nothing, statements=erased) is Verdict.PASS
    blind = survey_of([], with_status("describe_volumes", CoverageStatus.DENIED))
    assert after(survey=blind, statements=erased) is Verdict.NODATA
    assert len(run(exit_01.CHECK, world(tmp_path))) == 1
