"""Each control passes on a whole world, fails on what it is there for, and never passes blind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inventory.models.finding import Grade
from inventory.models.resource import CoverageStatus, Resource
from inventory.models.site import AwsMatch
from inventory.models.verdict import Verdict
from tasks.checks.registry import Check
from tasks.checks.residency import dat_01, dat_02, dat_03, dat_05, inv_01, net_02
from tasks.drivers.errors import Denied, HostUnreachable
from tasks.survey.surveyor import all_surveyors
from tests.checks.residency.world import (
    ALL,
    BUCKET,
    DATABASE,
    HOME,
    FakeDns,
    FakeHost,
    FakeKube,
    FakeObjects,
    FakeSql,
    coverage,
    one,
    run,
    survey_of,
    verdict,
    with_status,
    world,
)

CHECKS = [module.CHECK for module in (inv_01, dat_01, dat_02, dat_03, dat_05, net_02)]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_a_whole_world_passes_with_evidence_of_grade_e2(check: Check, tmp_path: Path) -> None:
    for finding in run(check, world(tmp_path)):
        assert finding.verdict is Verdict.PASS, finding
        assert finding.evidence, finding
        assert {each.grade for each in finding.evidence} == {Grade.E2}
        assert finding.severity is check.severity


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_two_runs_on_the_same_world_say_the_same(check: Check, tmp_path: Path) -> None:
    assert run(check, world(tmp_path)) == run(check, world(tmp_path))


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        (dat_01.CHECK, {"target": FakeKube(PersistentVolume=Denied("oslo", "forbidden"))}),
        (dat_05.CHECK, {"target": FakeKube(Pod=Denied("oslo", "forbidden"))}),
        (dat_02.CHECK, {"target_bucket": FakeObjects(HostUnreachable("10.60.0.11:9000", "refused"))}),
    ],
)
def test_what_cannot_be_asked_is_an_error(check: Check, changes: dict[str, Any], tmp_path: Path) -> None:
    assert verdict(check, world(tmp_path, **changes)) is Verdict.ERROR


# INV-01


@pytest.mark.parametrize("status", [CoverageStatus.DENIED, CoverageStatus.THROTTLED, CoverageStatus.ERROR])
def test_a_row_that_is_not_complete_is_no_data(status: CoverageStatus, tmp_path: Path) -> None:
    survey = survey_of(rows=with_status("describe_volumes", status, "eu-west-1"))
    finding = one(inv_01.CHECK, world(tmp_path, survey=survey), "ebs/eu-west-1")
    assert finding.verdict is Verdict.NODATA
    assert finding.observed == f"describe_volumes {status}: because"


@pytest.mark.parametrize("absent", [*inv_01.REGIONAL, *inv_01.GLOBAL, "kubernetes", "account"])
def test_a_service_that_was_never_asked_is_no_data(absent: str, tmp_path: Path) -> None:
    rows = [row for row in coverage() if row.service != absent]
    assert verdict(inv_01.CHECK, world(tmp_path, survey=survey_of(rows=rows))) is Verdict.NODATA


def test_what_is_found_and_named_nowhere_fails_at_home_and_warns_elsewhere(tmp_path: Path) -> None:
    stray = Resource(service="ec2", region="us-east-1", kind="instance", id="i-9", name="stray")
    far = Resource(service="ec2", region="eu-west-1", kind="instance", id="i-8", name="reports")
    context = world(tmp_path, survey=survey_of((*ALL, stray, far)))
    assert one(inv_01.CHECK, context, "ec2/instance").verdict is Verdict.FAIL
    assert "stray" in one(inv_01.CHECK, context, "ec2/instance").observed
    elsewhere = one(inv_01.CHECK, context, "region/eu-west-1")
    assert elsewhere.verdict is Verdict.WARN
    assert "instance reports" in elsewhere.observed


def test_every_surveyor_is_asked_for_and_the_finding_says_what_is_listed(tmp_path: Path) -> None:
    surveyors = {
        scope: [e.service for e in all_surveyors() if e.scope == scope] for scope in ("region", "global")
    }
    assert surveyors == {"region": list(inv_01.REGIONAL), "global": list(inv_01.GLOBAL)}
    said = one(inv_01.CHECK, world(tmp_path), "coverage").observed
    assert "only what is or was tagged is listed" in said
    assert all(service in said for service in inv_01.WHOLE)


def test_what_only_its_tags_show_is_undeclared_until_it_is_named(tmp_path: Path) -> None:
    arn = f"arn:aws:sns:{HOME}:123456789012:orders"
    topic = Resource(service="tagging", region=HOME, kind="sns", id=arn, arn=arn, tags={"team": "shop"})
    context = world(tmp_path, survey=survey_of((*ALL, topic)))
    assert one(inv_01.CHECK, context, "tagging/sns").verdict is Verdict.FAIL
    match = AwsMatch(service="tagging", name="arn:aws:sns:*:orders")
    aws = context.site.source.aws.model_copy(update={"belongs": (match,)})
    source = context.site.source.model_copy(update={"aws": aws})
    site = context.site.model_copy(update={"source": source})
    named = world(tmp_path, site=site, survey=survey_of((*ALL, topic)))
    assert verdict(inv_01.CHECK, named) is Verdict.PASS


def test_a_declared_bucket_that_is_not_there_fails_where_it_must_be_at_aws(tmp_path: Path) -> None:
    survey = survey_of([each for each in ALL if each is not BUCKET])
    finding = one(inv_01.CHECK, world(tmp_path, survey=survey), "source.bucket.name")
    assert finding.verdict is Verdict.FAIL
    assert finding.observed == "the bucket media is not in the account"
    after = world(tmp_path, survey=survey, phase="after-finalize")
    assert verdict(inv_01.CHECK, after) is Verdict.PASS


# DAT-01


def volume(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


def on_host(name: str) -> dict[str, Any]:
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [name]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"local": {"path": "/v"}, "nodeAffinity": on_host("oslo-2")}, Verdict.PASS),
        ({"local": {"path": "/v"}, "nodeAffinity": on_host("aws-2")}, Verdict.FAIL),
        ({"hostPath": {"path": "/v"}}, Verdict.PASS),
        ({"nfs": {"server": "10.60.0.11", "path": "/"}}, Verdict.PASS),
        ({"nfs": {"server": "10.60.0.99", "path": "/"}}, Verdict.WARN),
        ({"nfs": {"server": "fs-1.efs.us-east-1.amazonaws.com"}}, Verdict.FAIL),
        ({"iscsi": {"targetPortal": "10.60.0.12:3260"}}, Verdict.PASS),
        ({"awsElasticBlockStore": {"volumeID": "vol-1"}}, Verdict.FAIL),
        ({"csi": {"driver": "ebs.csi.aws.com"}}, Verdict.FAIL),
        ({"csi": {"driver": "rbd.csi.ceph.com"}}, Verdict.NODATA),
        ({"csi": {"driver": "nfs.csi.k8s.io", "volumeAttributes": {"server": "10.60.0.13"}}}, Verdict.PASS),
        ({"quobyte": {}}, Verdict.NODATA),
    ],
)
def test_a_volume_is_judged_by_where_it_lies(spec: dict[str, Any], expected: Verdict, tmp_path: Path) -> None:
    kube = FakeKube(PersistentVolume=[volume("data", capacity={"storage": "1Gi"}, **spec)])
    assert one(dat_01.CHECK, world(tmp_path, target=kube), "pv/data").verdict is expected


def test_a_class_or_a_pod_that_would_use_aws_fails(tmp_path: Path) -> None:
    classes = [{"metadata": {"name": "gp3"}, "provisioner": "ebs.csi.aws.com"}]
    pods = [
        {
            "metadata": {"namespace": "shop", "name": "p"},
            "spec": {"volumes": [{"name": "v", "awsElasticBlockStore": {"volumeID": "vol-1"}}]},
        }
    ]
    context = world(tmp_path, target=FakeKube(StorageClass=classes, Pod=pods))
    assert one(dat_01.CHECK, context, "storageclass").verdict is Verdict.FAIL
    assert one(dat_01.CHECK, context, "pod/shop/p/v").verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("check", "subject"),
    [(dat_01.CHECK, "aws/ebs"), (dat_02.CHECK, "aws/s3"), (dat_03.CHECK, "aws/rds")],
)
def test_what_is_left_at_aws_is_shown_before_and_a_warning_after(
    check: Check, subject: str, tmp_path: Path
) -> None:
    before = one(check, world(tmp_path), subject)
    assert before.verdict is Verdict.PASS
    assert "still at AWS" in before.observed
    after = one(check, world(tmp_path, phase="after-finalize"), subject)
    assert after.verdict is Verdict.WARN
    assert "stopped and not erased" in after.observed
    gone = one(check, world(tmp_path, phase="after-finalize", survey=survey_of([])), subject)
    assert gone.verdict is Verdict.PASS
    rows = [row for row in coverage() if row.service != subject.partition("/")[2]]
    unseen = world(tmp_path, phase="after-finalize", survey=survey_of([], rows))
    assert one(check, unseen, subject).verdict is Verdict.NODATA


# DAT-02


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("https://10.60.0.11:9000", Verdict.PASS),
        ("https://10.60.0.77:9000", Verdict.FAIL),
        ("", Verdict.FAIL),
        ("https://s3.eu-north-1.amazonaws.com", Verdict.FAIL),
        ("https://objects.fjordshop.example", Verdict.NODATA),
    ],
)
def test_the_bucket_must_be_served_by_a_declared_node(
    endpoint: str, expected: Verdict, tmp_path: Path
) -> None:
    context = world(tmp_path)
    bucket = context.site.target.bucket.model_copy(update={"endpoint_url": endpoint})
    target = context.site.target.model_copy(update={"bucket": bucket})
    site = context.site.model_copy(update={"target": target})
    finding = one(dat_02.CHECK, world(tmp_path, site=site), "s3://media")
    assert finding.verdict is expected
    assert "2 objects, 303 bytes" in finding.observed


@pytest.mark.parametrize(
    ("replicates_to", "expected"),
    [([], Verdict.PASS), (["arn:aws:s3:::copy"], Verdict.FAIL), (None, Verdict.NODATA)],
)
def test_a_bucket_that_is_copied_elsewhere_fails(
    replicates_to: list[str] | None, expected: Verdict, tmp_path: Path
) -> None:
    bucket = BUCKET.model_copy(update={"attributes": {"replicates_to": replicates_to}})
    context = world(tmp_path, survey=survey_of([bucket]))
    assert one(dat_02.CHECK, context, "aws/s3/media/replication").verdict is expected


# DAT-03


def reader(host: str) -> dict[str, Any]:
    return {"ID": 7, "USER": "replica", "HOST": f"{host}:41000", "COMMAND": "Binlog Dump"}


@pytest.mark.parametrize(
    ("host", "before", "after"),
    [
        ("10.60.0.12", Verdict.PASS, Verdict.PASS),
        ("198.18.0.11", Verdict.PASS, Verdict.FAIL),
        ("10.40.0.21", Verdict.PASS, Verdict.FAIL),
        ("203.0.113.9", Verdict.FAIL, Verdict.FAIL),
    ],
)
def test_who_reads_the_changes_is_judged(host: str, before: Verdict, after: Verdict, tmp_path: Path) -> None:
    sql = FakeSql(dumps=[reader(host)], registered=[{"Server_id": 2, "Host": "", "Port": 3306}])
    subject = f"10.60.0.11:3306/reader/{host}"
    assert one(dat_03.CHECK, world(tmp_path, target_database=sql), subject).verdict is before
    late = world(tmp_path, target_database=sql, phase="after-finalize")
    assert one(dat_03.CHECK, late, subject).verdict is after


def test_a_declared_translation_of_the_source_is_known(tmp_path: Path) -> None:
    sql = FakeSql(dumps=[reader("10.60.0.1")])
    context = world(tmp_path, target_database=sql)
    assert verdict(dat_03.CHECK, context) is Verdict.FAIL
    database = context.site.source.database.model_copy(update={"seen_as": ("10.60.0.1",)})
    source = context.site.source.model_copy(update={"database": database})
    site = context.site.model_copy(update={"source": source})
    assert verdict(dat_03.CHECK, world(tmp_path, target_database=sql, site=site)) is Verdict.PASS


def test_a_replica_that_is_registered_and_not_seen_reading_fails(tmp_path: Path) -> None:
    sql = FakeSql(registered=[{"Server_id": 9, "Host": "r", "Port": 3306}])
    context = world(tmp_path, target_database=sql)
    assert one(dat_03.CHECK, context, "10.60.0.11:3306/registered").verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("host", "before", "after"),
    [("198.18.0.11", Verdict.PASS, Verdict.FAIL), ("203.0.113.9", Verdict.FAIL, Verdict.FAIL)],
)
def test_whom_the_target_follows_is_judged(
    host: str, before: Verdict, after: Verdict, tmp_path: Path
) -> None:
    sql = FakeSql(upstreams=[{"Master_Host": host, "Master_Port": 3306, "Slave_IO_Running": "Yes"}])
    subject = f"10.60.0.11:3306/upstream/{host}"
    assert one(dat_03.CHECK, world(tmp_path, target_database=sql), subject).verdict is before
    late = world(tmp_path, target_database=sql, phase="after-finalize")
    assert one(dat_03.CHECK, late, subject).verdict is after


def test_a_read_replica_in_another_region_fails(tmp_path: Path) -> None:
    far = "arn:aws:rds:us-west-2:123456789012:db:copy"
    database = DATABASE.model_copy(update={"attributes": {"replicas": [far]}})
    finding = one(dat_03.CHECK, world(tmp_path, survey=survey_of([database])), "aws/rds/shop/replicas")
    assert finding.verdict is Verdict.FAIL
    assert far in finding.observed


# DAT-05


def pod(namespace: str, *images: str) -> dict[str, Any]:
    containers = [{"name": str(i), "image": image} for i, image in enumerate(images)]
    return {"metadata": {"namespace": namespace, "name": "p"}, "spec": {"containers": containers}}


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([pod("shop", "10.60.0.11:5000/shop:1")], Verdict.PASS),
        ([pod("shop", "10.60.0.11:5000/shop:1", "198.18.0.12:5000/shop:1")], Verdict.FAIL),
        ([pod("shop", "nginx")], Verdict.FAIL),
        ([pod("shop", "10.60.0.11:5000.evil.example/shop:1")], Verdict.FAIL),
        ([], Verdict.NODATA),
    ],
)
def test_images_of_the_moved_namespaces_come_from_the_target(
    pods: list[dict[str, Any]], expected: Verdict, tmp_path: Path
) -> None:
    context = world(tmp_path, target=FakeKube(Pod=pods))
    assert one(dat_05.CHECK, context, "namespace/shop").verdict is expected


def test_images_of_the_cluster_itself_are_shown(tmp_path: Path) -> None:
    pods = [pod("shop", "10.60.0.11:5000/shop:1"), pod("kube-system", "registry.k8s.io/kube-apiserver:v1")]
    finding = one(dat_05.CHECK, world(tmp_path, target=FakeKube(Pod=pods)), "namespace/kube-system")
    assert finding.verdict is Verdict.WARN
    assert "registry.k8s.io" in finding.observed


# NET-02


@pytest.mark.parametrize(
    ("dns", "before", "after"),
    [
        (FakeDns(("198.18.0.10",)), Verdict.PASS, Verdict.FAIL),
        (FakeDns(("10.60.0.11",)), Verdict.PASS, Verdict.PASS),
        (FakeDns(("203.0.113.9",)), Verdict.FAIL, Verdict.FAIL),
        (FakeDns(("198.18.0.10", "203.0.113.9")), Verdict.FAIL, Verdict.FAIL),
        (FakeDns(()), Verdict.FAIL, Verdict.FAIL),
        (FakeDns(("10.60.0.11",), ttl_s=301), Verdict.FAIL, Verdict.FAIL),
    ],
)
def test_the_name_leads_to_a_declared_edge(
    dns: FakeDns, before: Verdict, after: Verdict, tmp_path: Path
) -> None:
    name = "shop.fjordshop.example"
    assert one(net_02.CHECK, world(tmp_path, dns=dns), name).verdict is before
    assert one(net_02.CHECK, world(tmp_path, dns=dns, phase="after-finalize"), name).verdict is after


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (("ns1.fjordshop.example",), Verdict.PASS),
        (("ns1.fjordshop.example", "ns-7.awsdns-01.org"), Verdict.FAIL),
        ((), Verdict.NODATA),
    ],
)
def test_the_zone_is_not_served_by_aws(servers: tuple[str, ...], expected: Verdict, tmp_path: Path) -> None:
    context = world(tmp_path, dns=FakeDns(servers=servers))
    assert one(net_02.CHECK, context, "fjordshop.example/NS").verdict is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver 10.60.0.1\n", Verdict.PASS),
        ("# nameserver 8.8.8.8\nsearch x\n", Verdict.PASS),
        ("nameserver 10.60.0.1\nnameserver 8.8.8.8\n", Verdict.FAIL),
        ("nameserver 169.254.169.253\n", Verdict.FAIL),
        ("nameserver 193.75.75.75\n", Verdict.WARN),
        ("nameserver 2001:4860:4860::8888\n", Verdict.WARN),
        (HostUnreachable("oslo-1", "no route"), Verdict.ERROR),
    ],
)
def test_the_resolvers_of_a_node_are_judged(text: Any, expected: Verdict, tmp_path: Path) -> None:
    context = world(tmp_path, hosts={"oslo-1": FakeHost(text)})
    assert one(net_02.CHECK, context, "oslo-1/resolvers").verdict is expected


def test_a_zone_at_route_53_is_known_before_and_a_warning_after(tmp_path: Path) -> None:
    subject = "aws/route53/fjordshop.example"
    assert one(net_02.CHECK, world(tmp_path), subject).verdict is Verdict.PASS
    assert one(net_02.CHECK, world(tmp_path, phase="after-finalize"), subject).verdict is Verdict.WARN
    unseen = survey_of(rows=with_status("list_hosted_zones", CoverageStatus.DENIED))
    assert one(net_02.CHECK, world(tmp_path, survey=unseen), subject).verdict is Verdict.NODATA
