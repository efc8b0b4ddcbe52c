"""Every AWS resource is in exactly one of the four piles, and what hangs on a declared thing goes with it."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.diff import Difference, compare
from inventory.load import load_site
from inventory.models.resource import Resource, Survey
from inventory.models.site import AwsMatch, Site
from tests.inventory.sites import whole

HOME = "us-east-1"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return load_site(whole(tmp_path_factory.mktemp("site")))


def of(service: str, kind: str, id_: str, region: str = HOME, **attributes: object) -> Resource:
    return Resource(service=service, region=region, kind=kind, id=id_, name=id_, attributes=attributes)


def survey(*resources: Resource) -> Survey:
    return Survey(
        schema="safe-harbor/survey/v1",
        site="whole",
        observed_at="2026-11-23T11:00:00+00:00",
        resources=resources,
        coverage=(),
    )


def with_aws(site: Site, **changes: object) -> Site:
    aws = site.source.aws.model_copy(update=changes)
    return site.model_copy(update={"source": site.source.model_copy(update={"aws": aws})})


def ids(resources: tuple[Resource, ...]) -> list[str]:
    return [each.id for each in resources]


BALANCER = Resource(
    service="elbv2",
    region=HOME,
    kind="load-balancer",
    id="lb",
    arn="arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/lb/50dc6c495c0c9188",
    name="lb",
    attributes={"dns_name": "198.18.0.10"},
)
CHAIN = (
    BALANCER,
    of("elbv2", "target-group", "tg", load_balancers=[BALANCER.arn], targets=[{"id": "i-1"}, {"id": "i-2"}]),
    of("ec2", "instance", "i-1"),
    of("ec2", "instance", "i-2"),
    of("ebs", "volume", "vol-1", instances=["i-1"]),
    of("ebs", "snapshot", "snap-1", volume="vol-1"),
)


def test_what_hangs_on_the_load_balancer_belongs_to_the_exit(site: Site) -> None:
    stray = of("ebs", "volume", "vol-9", instances=["i-9"])
    difference = compare(site, survey(*CHAIN, stray))
    assert ids(difference.exit) == ids(CHAIN)
    assert ids(difference.undeclared) == ["vol-9"]


def test_the_same_ids_in_another_region_do_not_hang_on_it(site: Site) -> None:
    far = of("ebs", "snapshot", "snap-1", "eu-west-1", volume="vol-1")
    difference = compare(site, survey(*CHAIN, far))
    assert ids(difference.outside) == ["snap-1"]


def test_the_bucket_must_be_there_and_a_zone_need_not(site: Site) -> None:
    assert [each.key for each in compare(site, survey()).missing] == ["source.bucket.name"]
    zone = of("route53", "hosted-zone", "fjordshop.example", "global").model_copy(update={"id": "Z1"})
    record = of("route53", "record", "Z1/shop.fjordshop.example/A", "global", zone="fjordshop.example")
    other = of("route53", "record", "Z2/x/A", "global")
    difference = compare(site, survey(zone, record, other))
    assert ids(difference.exit) == ["Z1", "Z1/shop.fjordshop.example/A"]
    assert ids(difference.undeclared) == ["Z2/x/A"]


def test_a_repository_is_known_by_the_images_that_the_source_runs(site: Site) -> None:
    repository = of("ecr", "repository", "fjordshop/shop")
    image = of("ecr", "image", "fjordshop/shop@sha256:1", repository="fjordshop/shop")
    other = of("ecr", "repository", "other")
    pod = of("kubernetes", "Pod", "p", "source", images=["198.18.0.12:5000/fjordshop/shop:1.0"])
    assert ids(compare(site, survey(repository, image, other)).exit) == []
    assert ids(compare(site, survey(repository, image, other, pod)).exit) == [repository.id, image.id]
    stopped = of("kubernetes", "Deployment", "d", "source", images=pod.attributes["images"])
    assert ids(compare(site, survey(repository, image, other, stopped)).exit) == [repository.id, image.id]


def test_tags_and_patterns_declare_more(site: Site) -> None:
    tagged = of("ec2", "instance", "i-1").model_copy(update={"tags": {"a": "1", "b": "2"}})
    partly = of("ec2", "instance", "i-2").model_copy(update={"tags": {"a": "1"}})
    volume = of("ebs", "volume", "data-7")
    declared = with_aws(
        site,
        tags={"a": "1", "b": "2"},
        belongs=(AwsMatch(service="ebs", name="data-*"), AwsMatch(service="rds", name="gone")),
    )
    difference = compare(declared, survey(tagged, partly, volume))
    assert ids(difference.exit) == ["i-1", "data-7"]
    assert ids(difference.undeclared) == ["i-2"]
    assert [each.what for each in difference.missing] == ["the bucket media", "rds gone"]


def test_what_is_declared_to_stay_stays_with_nothing_hanging_on_it(site: Site) -> None:
    declared = with_aws(site, stays=(AwsMatch(service="ec2", name="i-2", reason="finance"),))
    difference = compare(declared, survey(*CHAIN))
    assert ids(difference.stays) == ["i-2"]
    assert "i-2" not in ids(difference.exit)


KINDS = st.sampled_from(
    [("ec2", "instance"), ("ebs", "volume"), ("ebs", "snapshot"), ("s3", "bucket"), ("rds", "db-instance")]
)
RESOURCES = st.lists(
    st.builds(
        lambda kind, number, region, parent: of(
            kind[0],
            kind[1],
            f"{kind[1]}-{number}",
            region,
            instances=[f"instance-{parent}"],
            volume=f"volume-{parent}",
        ),
        KINDS,
        st.integers(0, 6),
        st.sampled_from([HOME, "eu-west-1", "global"]),
        st.integers(0, 6),
    ),
    unique_by=lambda each: (each.kind, each.id, each.region),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RESOURCES, st.sampled_from(["instance-*", "volume-1", "x"]), st.sampled_from(["instance-2", "y"]))
def test_every_resource_is_in_exactly_one_pile(
    site: Site, resources: list[Resource], belongs: str, stays: str
) -> None:
    declared = with_aws(
        site,
        belongs=tuple(AwsMatch(service=service, name=belongs) for service in ("ec2", "ebs")),
        stays=(AwsMatch(service="ec2", name=stays),),
    )
    found: Difference = compare(declared, survey(*resources))
    piles = [*found.exit, *found.stays, *found.undeclared, *found.outside]
    key = lambda each: (each.service, each.region, each.kind, each.id)  # noqa: E731 - used three times here
    assert sorted(map(key, piles)) == sorted(map(key, resources))
    for each in found.undeclared:
        assert each.region in (HOME, "global")


def test_ten_thousand_resources_take_seconds_not_minutes(site: Site) -> None:
    instances = [of("ec2", "instance", f"i-{n}") for n in range(3000)]
    volumes = [of("ebs", "volume", f"v-{n}", instances=[f"i-{n % 3000}"]) for n in range(7000)]
    declared = with_aws(site, belongs=(AwsMatch(service="ec2", name="i-*"),))
    started = time.perf_counter()
    difference = compare(declared, survey(*instances, *volumes))
    assert len(difference.exit) == 10_000
    assert time.perf_counter() - started < 5
