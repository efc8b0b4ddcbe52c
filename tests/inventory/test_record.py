"""The record of processing: the same inventory gives the same, nothing is concluded, and gaps are said."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from inventory.errors import BadInput
from inventory.load import load_site
from inventory.models.processing import Processing, Processor
from inventory.models.resource import CoverageStatus
from inventory.ranges import read_ranges
from inventory.record import record_digest, record_of
from inventory.record_page import record_page
from tests.checks.residency.world import ALL, survey_of, with_status
from tests.inventory.sites import whole

MAIL = Processor(name="Mail Ltd", country="IE", parent="Mail Corp", parent_country="US", purpose="mail")
POST = Processor(name="Nordpost AS", country="NO", purpose="parcels", data=("names",))


def made(folder: Path, survey: Any = None, **fields: Any) -> dict[str, Any]:
    site = load_site(whole(folder)).model_copy(update={"processing": Processing(**fields)})
    return record_of(site, survey or survey_of())


def test_it_says_what_was_found_when_and_how_and_what_was_not_seen(tmp_path: Path) -> None:
    rows = with_status("describe_volumes", CoverageStatus.DENIED, "eu-west-1")
    record = made(tmp_path, survey_of(ALL, rows))
    assert record["found"]["resources"]["ebs/us-east-1/volume"] == 1
    assert record["found"]["not_seen"] == ["ebs/eu-west-1: denied"]
    page = record_page(record)
    assert "Observed at 2026-11-23T11:00:00+00:00" in page
    assert "- not seen: ebs/eu-west-1: denied" in page
    assert "Time limits for erasure (f): not declared" in page
    assert record_digest(record) in page


def test_a_company_or_parent_outside_the_eea_is_a_transfer_with_open_questions(tmp_path: Path) -> None:
    record = made(tmp_path, processors=(POST, MAIL))
    (transfer,) = record["transfers"]
    assert transfer["name"] == "Mail Ltd"
    assert all("open: to be answered by a person" in text for text in transfer["questions"].values())
    page = record_page(record)
    assert "Mail Ltd (IE; parent Mail Corp (US)), processor: mail" in page
    assert not any(word in page.lower() for word in ("lawful", "unlawful", "compliant", "adequate"))


def test_the_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    one = made(tmp_path, processors=(POST, MAIL))
    backwards = survey_of(tuple(reversed(ALL))).model_copy(
        update={"observed_at": "2027-01-01T00:00:00+00:00"}
    )
    assert record_digest(made(tmp_path, backwards, processors=(MAIL, POST))) == record_digest(one)
    assert record_digest(made(tmp_path, processors=(POST,))) != record_digest(one)


def test_a_processors_hosts_and_networks_are_joined() -> None:
    company = Processor.model_validate(
        {
            "name": "x",
            "country": "NO",
            "purpose": "y",
            "hosts": ["a.example", "*.b.example"],
            "networks": ["192.0.2.0/28"],
        }
    )
    for host in ("a.example", "A.example.", "c.b.example", "192.0.2.15"):
        assert company.has(host)
    for host in ("b.example", "xb.example", "za.example", "192.0.2.16", "2001:db8::1"):
        assert not company.has(host)


@pytest.mark.parametrize(
    ("line", "where"),
    [("1.0.0.0,1.0.0.255", ":2"), ("x,y,NO", ":2"), ("2.0.0.9,2.0.0.1,NO", ":2"), ("1.0.0.5,1.0.0.6,SE", "")],
)
def test_a_table_that_is_wrong_is_refused(line: str, where: str, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f"1.0.0.0,1.0.0.255,NO\n{line}\n")
    with pytest.raises(BadInput, match=f"t.csv{where}: "):
        read_ranges(file)


def test_a_table_answers_within_its_ranges_only(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text('"2.0.0.0","2.0.0.255","no"\n1.0.0.0,1.0.0.9,US\n2001:db8::,2001:db8::1,DE\n')
    table = read_ranges(file)
    asked = ("0.9.9.9", "1.0.0.9", "1.0.0.10", "2.0.0.7", "3.0.0.0")
    assert [table.country(IPv4Address(each)) for each in asked] == ["", "US", "", "NO", ""]
