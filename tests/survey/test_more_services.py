"""Services beside the shop's own, found in a real moto server; and what only its tags show, found once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from inventory.models.resource import CoverageStatus, Resource, Survey
from tasks.drivers.aws import AwsAccount
from tasks.survey.run import survey
from tasks.survey.tagging import joined
from tests.survey.clock import StandingClock
from tests.survey.conftest import client, site_at

TAG = {"Key": "team", "Value": "shop"}
FAR = "eu-west-1"


@pytest.fixture(scope="module")
def found(shop_account: str, tmp_path_factory: pytest.TempPathFactory) -> Survey:
    client(shop_account, "dynamodb", FAR).create_table(
        TableName="carts",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[TAG],
    )
    client(shop_account, "sqs", FAR).create_queue(QueueName="orders", tags={"team": "shop"})
    client(shop_account, "efs", FAR).create_file_system(CreationToken="x", Tags=[TAG])
    kms = client(shop_account, "kms", FAR)
    kms.create_alias(AliasName="alias/shop", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    # An encrypted volume leaves a key that AWS manages: it is nobody's to declare.
    ec2 = client(shop_account, "ec2", FAR)
    volume = ec2.create_volume(AvailabilityZone=f"{FAR}a", Size=1, Encrypted=True)["VolumeId"]
    ec2.delete_volume(VolumeId=volume)
    client(shop_account, "secretsmanager", FAR).create_secret(Name="pay", SecretString="hunter2", Tags=[TAG])
    client(shop_account, "logs", FAR).create_log_group(logGroupName="/shop", tags={"team": "shop"})
    client(shop_account, "sns", FAR).create_topic(Name="news", Tags=[TAG])
    origin = {"Id": "o", "DomainName": "shop.fjordshop.example", "CustomOriginConfig": {
        "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}}  # fmt: skip
    client(shop_account, "cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Aliases": {"Quantity": 1, "Items": ["cdn.fjordshop.example"]},
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
        }
    )
    site = site_at(tmp_path_factory.mktemp("site"), shop_account)
    account = AwsAccount.open(site.source.aws)
    began = time.monotonic()
    try:
        taken = survey(site, account, [], StandingClock())
    finally:
        account.close()
    # Sixteen services in every region: the calls go side by side, as a rehearsal waits for them.
    assert time.monotonic() - began < 60
    return taken


def of(found: Survey, service: str) -> Resource:
    (only,) = [each for each in found.resources if each.service == service]
    return only


@pytest.mark.parametrize(
    ("service", "kind", "name"),
    [
        ("dynamodb", "table", "carts"),
        ("sqs", "queue", "orders"),
        ("efs", "file-system", ""),
        ("kms", "key", "shop"),
        ("secretsmanager", "secret", "pay"),
        ("logs", "log-group", "/shop"),
    ],
)
def test_a_service_of_another_region_is_found(service: str, kind: str, name: str, found: Survey) -> None:
    resource = of(found, service)
    assert (resource.region, resource.kind, resource.name) == (FAR, kind, name)
    assert resource.arn.startswith("arn:aws:")


def test_a_distribution_is_found_with_its_names(found: Survey) -> None:
    resource = of(found, "cloudfront")
    assert resource.attributes["aliases"] == ["cdn.fjordshop.example"]
    assert resource.attributes["origins"] == ["shop.fjordshop.example"]


def test_what_has_no_surveyor_is_found_by_its_tag_and_nothing_is_found_twice(found: Survey) -> None:
    tagged = [each for each in found.resources if each.service == "tagging"]
    assert [(each.kind, each.region) for each in tagged if each.arn.endswith(":news")] == [("sns", FAR)]
    arns = [each.arn for each in found.resources if each.arn]
    assert len(arns) == len(set(arns))
    assert "hunter2" not in found.model_dump_json()


def test_each_service_has_its_row_in_each_region(found: Survey) -> None:
    regions = {row.region for row in found.coverage} - {"global"}
    services = ("dynamodb", "efs", "kms", "lambda", "logs", "secretsmanager", "sqs", "tagging")
    for service in services:
        assert {row.region for row in found.coverage if row.service == service} == regions, service
    assert [row.status for row in found.coverage if row.service == "cloudfront"] == [CoverageStatus.OK]
    assert {row.status for row in found.coverage} == {CoverageStatus.OK, CoverageStatus.EMPTY}


def resource(service: str, arn: str, **tags: str) -> Resource:
    return Resource(service=service, region="r", kind="k", id=arn or service, arn=arn, tags=tags)


def test_tags_go_to_the_resource_that_has_none() -> None:
    queue, topic = "arn:aws:sqs:r:1:orders", "arn:aws:sns:r:1:news"
    both = [resource("sqs", queue), resource("tagging", queue, team="shop"), resource("tagging", topic)]
    assert [(e.service, e.arn, e.tags) for e in joined(both)] == [
        ("sqs", queue, {"team": "shop"}),
        ("tagging", topic, {}),
    ]
    own = [resource("sqs", queue, Name="x"), resource("tagging", queue, team="shop")]
    assert [each.tags for each in joined(own)] == [{"Name": "x"}]
    snapshot = [
        resource("ebs", "arn:aws:ec2:r:1:snapshot/s"),
        resource("tagging", "arn:aws:ec2:r::snapshot/s"),
    ]
    assert [each.service for each in joined(snapshot)] == ["ebs"]
    assert len(joined([resource("ecr", ""), resource("ecr", ""), resource("tagging", topic)])) == 3


def test_a_survey_of_the_same_account_says_the_same(shop_account: str, found: Survey, tmp_path: Path) -> None:
    account = AwsAccount.open(site_at(tmp_path, shop_account).source.aws)
    again = survey(site_at(tmp_path, shop_account), account, [], StandingClock())
    account.close()
    assert again.resources == found.resources
