"""A small world for the residency checks: a survey, a cluster, a database, a bucket, a zone, the hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from inventory.load import load_site
from inventory.models.command import Shellable
from inventory.models.finding import Finding
from inventory.models.resource import Coverage, CoverageStatus, Resource, Survey
from inventory.models.verdict import Verdict, worst
from tasks.checks.context import Residency
from tasks.checks.registry import Check, judge
from tasks.drivers.errors import OutsideError
from tasks.facts import backups, mounts, network_disks, registry_mirrors, secret_encryption
from tests.inventory.sites import whole
from tests.survey.clock import StandingClock

HOME = "us-east-1"
REGIONAL = {
    "ec2": ("describe_instances",),
    "ebs": ("describe_volumes", "describe_snapshots"),
    "ecr": ("describe_repositories",),
    "elbv2": ("describe_load_balancers",),
    "rds": ("describe_db_instances",),
    "dynamodb": ("list_tables",),
    "efs": ("describe_file_systems",),
    "kms": ("list_keys",),
    "lambda": ("list_functions",),
    "logs": ("describe_log_groups",),
    "secretsmanager": ("list_secrets",),
    "sqs": ("list_queues",),
    "tagging": ("get_resources",),
}
GLOBAL = {
    "s3": ("list_buckets",),
    "route53": ("list_hosted_zones",),
    "cloudfront": ("list_distributions",),
    "account": ("describe_regions",),
}

BUCKET = Resource(
    service="s3",
    region=HOME,
    kind="bucket",
    id="media",
    name="media",
    attributes={"region": HOME, "replicates_to": [], "objects": 3, "bytes": 303},
)
ZONE = Resource(service="route53", region="global", kind="hosted-zone", id="Z1", name="fjordshop.example")
BALANCER = Resource(
    service="elbv2",
    region=HOME,
    kind="load-balancer",
    id="shop",
    arn="arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/shop/1",
    name="shop",
    tags={"address": "198.18.0.10"},
)
GROUP = Resource(
    service="elbv2",
    region=HOME,
    kind="target-group",
    id="shop-http",
    name="shop-http",
    attributes={"load_balancers": [BALANCER.arn], "targets": [{"id": "i-1", "port": 1, "state": "healthy"}]},
)
INSTANCE = Resource(service="ec2", region=HOME, kind="instance", id="i-1", name="aws-1")
VOLUME = Resource(
    service="ebs",
    region=HOME,
    kind="volume",
    id="vol-1",
    attributes={"instances": ["i-1"], "size_gib": 20},
)
SNAPSHOT = Resource(
    service="ebs", region=HOME, kind="snapshot", id="snap-1", attributes={"volume": "vol-1", "size_gib": 20}
)
DATABASE = Resource(
    service="rds",
    region=HOME,
    kind="db-instance",
    id="shop",
    name="shop",
    tags={"public-endpoint": "198.18.0.11:3306"},
    attributes={"replicas": []},
)
ALL = (BUCKET, ZONE, BALANCER, GROUP, INSTANCE, VOLUME, SNAPSHOT, DATABASE)


def coverage(regions: Sequence[str] = (HOME, "eu-west-1")) -> list[Coverage]:
    """Whole coverage of these regions and of the source's cluster."""

    def rows(service: str, region: str, operations: Sequence[str]) -> list[Coverage]:
        return [
            Coverage(service=service, region=region, operation=each, status=CoverageStatus.OK, count=1)
            for each in operations
        ]

    found = [row for region in regions for s, ops in REGIONAL.items() for row in rows(s, region, ops)]
    found += [row for service, operations in GLOBAL.items() for row in rows(service, "global", operations)]
    return [*found, *rows("kubernetes", "source", ("discover",))]


def survey_of(resources: Sequence[Resource] = ALL, rows: Sequence[Coverage] | None = None) -> Survey:
    return Survey(
        schema="safe-harbor/survey/v1",
        site="whole",
        observed_at="2026-11-23T11:00:00+00:00",
        resources=tuple(resources),
        coverage=tuple(coverage() if rows is None else rows),
    )


def with_status(operation: str, status: CoverageStatus, region: str = "") -> list[Coverage]:
    """The whole coverage with one operation that ended otherwise."""
    changed = [
        row.model_copy(update={"status": status, "message": "because"})
        if row.operation == operation and region in ("", row.region)
        else row
        for row in coverage()
    ]
    assert changed != coverage()
    return changed


class FakeKube:
    name = "oslo"

    def __init__(self, **objects: list[dict[str, Any]] | OutsideError) -> None:
        self._objects = objects

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        found = self._objects.get(kind, [])
        if isinstance(found, OutsideError):
            raise found
        return found

    def kinds(self) -> Sequence[tuple[str, str]]:
        return []


class FakeSql:
    name = "10.60.0.11:3306"

    def __init__(
        self,
        dumps: Sequence[dict[str, Any]] = (),
        registered: Sequence[dict[str, Any]] = (),
        upstreams: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._answers = {"PROCESSLIST": dumps, "SHOW SLAVE HOSTS": registered, "SHOW ALL SLAVES": upstreams}

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        (answer,) = (rows for mark, rows in self._answers.items() if mark in statement)
        return list(answer)


class FakeObjects:
    name = "s3://media"

    def __init__(self, error: OutsideError | None = None) -> None:
        self._error = error

    def list(self) -> Iterator[tuple[str, int, str]]:
        if self._error:
            raise self._error
        return iter([("a.jpg", 100, "e1"), ("b.jpg", 203, "e2")])


class FakeDns:
    def __init__(
        self,
        addresses: tuple[str, ...] = ("198.18.0.10",),
        ttl_s: int = 300,
        servers: tuple[str, ...] = ("ns1.fjordshop.example",),
    ) -> None:
        self._answer = (addresses, ttl_s)
        self._servers = servers

    def address(self, name: str) -> tuple[tuple[str, ...], int]:
        assert name == "shop.fjordshop.example"
        return self._answer

    def name_servers(self) -> tuple[str, ...]:
        return self._servers


# What a host answers that has nothing which would concern the residency controls.
QUIET: dict[str, str] = {
    str(mounts.command()): "/dev/vda / ext4 rw,relatime 0 0\ntmpfs /tmp tmpfs rw 0 0\n",
    str(network_disks.command()): "seen\ndisk\tvda\n",
    str(backups.command()): "",
    str(registry_mirrors.command()): "",
    str(secret_encryption.command()): "none\n",
}


class FakeHost:
    """Answers each question by its text; `answers` are those that differ from a quiet host's."""

    def __init__(
        self, resolv_conf: str | OutsideError = "", answers: Mapping[str, str | OutsideError] | None = None
    ) -> None:
        self._answers = {**QUIET, "cat /etc/resolv.conf": resolv_conf, **(answers or {})}

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        answer = self._answers[str(command)]
        if isinstance(answer, OutsideError):
            raise answer
        return answer


def world(folder: Path, **changes: Any) -> Residency:
    """A context in which every check passes before the cutover; `changes` replace its fields."""
    pods = [
        {
            "metadata": {"namespace": "shop", "name": "shop-1"},
            "spec": {
                "containers": [{"name": "shop", "image": "10.60.0.11:5000/shop:1"}],
                "volumes": [{"name": "scratch", "emptyDir": {}}],
            },
        }
    ]
    whole_world: dict[str, Any] = {
        "site": load_site(whole(folder)),
        "survey": survey_of(),
        "target": FakeKube(Pod=pods),
        "target_database": FakeSql(
            upstreams=[{"Connection_name": "", "Master_Host": "198.18.0.11", "Master_Port": 3306}]
        ),
        "target_bucket": FakeObjects(),
        "dns": FakeDns(),
        "hosts": {"oslo-1": FakeHost("nameserver 10.60.0.1\n")},
        "clock": StandingClock(),
    }
    return replace(Residency(**whole_world), **changes)


def run(check: Check, context: Residency) -> list[Finding]:
    """Its findings, as the registry has them."""
    findings = judge([check], context)
    assert findings
    assert {finding.code for finding in findings} == {check.code}
    for finding in findings:
        if finding.verdict not in (Verdict.PASS,):
            assert finding.remedy, f"{finding} has no remedy"
        if finding.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.WARN) and finding.subject.count("/") < 9:
            assert finding.observed
    return findings


def verdict(check: Check, context: Residency) -> Verdict:
    return worst(finding.verdict for finding in run(check, context))


def one(check: Check, context: Residency, subject: str) -> Finding:
    """The one finding on a subject."""
    found = [finding for finding in run(check, context) if finding.subject == subject]
    assert len(found) == 1, [finding.subject for finding in run(check, context)]
    return found[0]
