"""The survey of a real moto server: what is there is found, in every region, and the coverage is whole."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from inventory.models.resource import CoverageStatus, Survey
from tasks.drivers.aws import AwsAccount
from tasks.survey.run import Progress, read_survey, survey, to_json, write_survey
from tests.survey.clock import StandingClock
from tests.survey.conftest import site_at


@pytest.fixture(scope="module")
def found(shop_account: str, tmp_path_factory: pytest.TempPathFactory) -> Survey:
    site = site_at(tmp_path_factory.mktemp("site"), shop_account)
    account = AwsAccount.open(site.source.aws)
    try:
        return survey(site, account, [], StandingClock())
    finally:
        account.close()


def test_everything_of_the_shop_is_found_and_what_lies_elsewhere(found: Survey) -> None:
    kinds = Counter((r.service, r.region, r.kind) for r in found.resources)
    assert kinds["ec2", "us-east-1", "instance"] == 3
    assert kinds["ec2", "eu-west-1", "instance"] == 1
    assert kinds["ebs", "us-east-1", "volume"] == 4  # three roots and the data volume
    assert kinds["ebs", "us-east-1", "snapshot"] == 1
    assert kinds["elbv2", "us-east-1", "load-balancer"] == 1
    assert kinds["elbv2", "us-east-1", "target-group"] == 1
    assert kinds["rds", "us-east-1", "db-instance"] == 1
    assert kinds["rds", "us-east-1", "db-snapshot"] == 2  # ours, and the automatic one
    assert kinds["s3", "us-east-1", "bucket"] == 1
    assert kinds["s3", "eu-north-1", "bucket"] == 1
    assert kinds["route53", "global", "hosted-zone"] == 1
    assert kinds["ecr", "us-east-1", "repository"] == 1
    assert kinds["ecr", "us-east-1", "image"] == 1


def test_what_later_stages_read_is_there(found: Survey) -> None:
    by_name = {(r.kind, r.name): r for r in found.resources}
    assert by_name["instance", "aws-1"].attributes["private_ip"] == "10.40.0.11"
    assert by_name["bucket", "media"].attributes["objects"] == 3
    assert by_name["bucket", "media"].attributes["bytes"] == 303
    assert by_name["bucket", "media"].attributes["replicates_to"] == []
    assert "objects" not in by_name["bucket", "unrelated"].attributes
    assert by_name["record", "shop.fjordshop.example"].attributes["values"] == ["198.18.0.10"]
    assert len(by_name["target-group", "shop"].attributes["targets"]) == 3
    assert by_name["load-balancer", "shop"].attributes["ports"] == [80]
    assert by_name["load-balancer", "shop"].tags == {"app": "shop"}
    assert by_name["image", "shop"].attributes["image_tags"] == ["v1"]


def test_every_region_and_service_has_its_rows(found: Survey) -> None:
    regions = {row.region for row in found.coverage} - {"global"}
    assert {"us-east-1", "eu-west-1", "eu-north-1"} <= regions
    assert len(regions) > 10
    for service, operations in {
        "ec2": 1,
        "ebs": 2,
        "rds": 2,
    }.items():
        rows = [row for row in found.coverage if row.service == service]
        assert len(rows) == operations * len(regions)
    assert {row.status for row in found.coverage} == {CoverageStatus.OK, CoverageStatus.EMPTY}
    snapshots = {r.region: r for r in found.coverage if r.operation == "describe_snapshots"}
    assert snapshots["us-east-1"].count == 1
    assert snapshots["eu-west-1"].status is CoverageStatus.EMPTY


def test_survey_json_has_its_schema_and_reads_back_the_same(found: Survey, tmp_path: Path) -> None:
    file = tmp_path / "out" / "survey.json"
    write_survey(found, file)
    assert json.loads(file.read_text())["schema"] == "safe-harbor/survey/v1"
    assert read_survey(file) == found
    assert sorted(path.name for path in file.parent.iterdir()) == ["survey.json"]


def test_two_surveys_of_the_same_account_are_the_same_text(shop_account: str, tmp_path: Path) -> None:
    site = site_at(tmp_path, shop_account)
    seen: list[Progress] = []
    texts = set()
    for _ in range(2):
        account = AwsAccount.open(site.source.aws)
        texts.add(to_json(survey(site, account, [], StandingClock(), seen.append)))
        account.close()
    assert len(texts) == 1
    assert [each.done for each in seen[: seen[0].total]] == list(range(1, seen[0].total + 1))


def test_regions_that_the_site_leaves_out_are_not_taken_as_empty(shop_account: str, tmp_path: Path) -> None:
    site = site_at(tmp_path, shop_account, "    regions: [us-east-1]\n")
    account = AwsAccount.open(site.source.aws)
    found = survey(site, account, [], StandingClock())
    account.close()
    left_out = {row.region: row for row in found.coverage if row.service == "account"}
    assert left_out["eu-west-1"].status is CoverageStatus.ERROR
    assert "left out by source.aws.regions" in left_out["eu-west-1"].message
    assert not [r for r in found.resources if r.service == "ec2" and r.region == "eu-west-1"]
