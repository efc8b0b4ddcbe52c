"""Controls of place, egress, sinks, keys, endpoints and access: on a whole world, and on what each is for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.models.finding import Grade
from inventory.models.observation import Egress, Observation, Resolved
from inventory.models.processing import Processing, Processor, Vantage
from inventory.models.site import Site
from inventory.models.verdict import Verdict, worst
from inventory.ranges import Ranges, read_ranges
from tasks.checks.context import Residency
from tasks.checks.registry import Check
from tasks.checks.residency import (
    dat_04,
    dat_06,
    dat_07,
    iam_01,
    loc_01,
    loc_02,
    loc_03,
    loc_04,
    net_01,
    net_03,
    net_04,
)
from tasks.checks.residency.lightspeed import NIX1, bound_km, distance_km, excluded
from tests.checks.residency.test_statements_judged import signed
from tests.checks.residency.world import FakeDns, FakeKube, one, run, world

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
POST = Processor(
    name="Nordpost AS",
    country="NO",
    purpose="parcels",
    hosts=("api.nordpost.example", "*.eu.nordpost.example"),
    networks=(IPv4Network("192.0.2.128/28"),),
)
BERGEN = Vantage(name="bergen", latitude=60.39, longitude=5.32)


def declared(folder: Path, **fields: Any) -> Site:
    return world(folder).site.model_copy(update={"processing": Processing(**fields)})


# LOC-01: the speed of light


@pytest.mark.parametrize(
    ("round_trip_ms", "nearest"),
    [(0.49, "Sweden"), (2.1, "AWS Stockholm"), (4.29, "land outside the EEA (Shetland)")],
)
def test_a_round_trip_to_oslo_excludes_what_light_could_not_reach(round_trip_ms: float, nearest: str) -> None:
    assert excluded(NIX1, round_trip_ms)[0] == nearest
    assert nearest not in excluded(NIX1, round_trip_ms + 0.1)
    assert excluded(NIX1, 35.0) == ()


@given(st.floats(0.001, 1000), st.floats(0.001, 1000), st.floats(50, 72), st.floats(0, 30))
def test_a_longer_round_trip_or_a_farther_vantage_never_excludes_more(
    one_ms: float, more_ms: float, latitude: float, longitude: float
) -> None:
    vantage = Vantage(name="x", latitude=latitude, longitude=longitude)
    near, far = excluded(vantage, one_ms), excluded(vantage, one_ms + more_ms)
    assert set(far) <= set(near) <= set(excluded(NIX1, one_ms))
    assert bound_km(one_ms) < bound_km(one_ms + more_ms)


def test_the_distance_between_oslo_and_bergen_is_that_of_the_map() -> None:
    assert distance_km(NIX1, BERGEN) == pytest.approx(302, abs=5)
    assert distance_km(NIX1, NIX1) == 0


def trips(**milliseconds: float) -> tuple[Observation, ...]:
    return tuple(
        Observation(at=NOW, node=node, vantage=vantage, round_trip_ms=ms)
        for node in ("oslo-1", "oslo-2", "oslo-3")
        for vantage, ms in milliseconds.items()
    )


@pytest.mark.parametrize(
    ("seen", "expected", "said"),
    [
        ({}, Verdict.NODATA, "no round trip was measured"),
        ({"nix1": 0.4}, Verdict.NODATA, "1 vantage of 2"),
        ({"nix1": 0.4, "nowhere": 0.4}, Verdict.NODATA, "1 vantage of 2"),
        ({"nix1": 40.0, "bergen": 50.0}, Verdict.NODATA, "excludes nothing"),
        ({"nix1": 0.4, "bergen": 5.0}, Verdict.PASS, "not farther than 60 km"),
    ],
)
def test_two_vantages_and_a_near_bound_are_needed(
    seen: dict[str, float], expected: Verdict, said: str, tmp_path: Path
) -> None:
    site = declared(tmp_path, vantages=(NIX1, BERGEN))
    finding = one(loc_01.CHECK, world(tmp_path, site=site, observations=trips(**seen)), "oslo-2")
    assert finding.verdict is expected
    assert said in finding.observed
    assert {each.grade for each in finding.evidence} == {Grade.E1}


# LOC-02 to LOC-04


class Answering:
    """A host that answers every question with one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def check(self, command: object, **_: object) -> str:
        return self._text


def hosts(text: str) -> dict[str, Any]:
    return {"oslo-1": Answering(text)}


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("tag OSL-7\n", Verdict.WARN), ("tag OSL-8\n", Verdict.FAIL), ("tag None\n", Verdict.NODATA)],
)
def test_an_asset_tag_alone_never_passes(tag: str, expected: Verdict, tmp_path: Path) -> None:
    statement = signed("LOC-02", "oslo-1", asset_tag="OSL-7", site="Gaustad")
    context = world(tmp_path, hosts=hosts(tag), statements=(statement,))
    assert one(loc_02.CHECK, context, "oslo-1/asset").verdict is expected
    assert one(loc_02.CHECK, world(tmp_path, hosts=hosts(tag)), "oslo-1/asset").verdict is Verdict.NODATA


def table(folder: Path, name: str, country: str) -> Ranges:
    file = folder / name
    file.write_text(f"# none\n8.0.0.0,8.255.255.255,{country},x\n2001:db8::,2001:db8::1,DE\n"[7:])
    return read_ranges(file)


def public(folder: Path) -> Site:
    site = world(folder).site
    edge = site.target.edge.model_copy(update={"address": "8.1.2.3"})
    return site.model_copy(update={"target": site.target.model_copy(update={"edge": edge})})


def test_registrants_and_geo_databases_are_asked_of_public_addresses_only(tmp_path: Path) -> None:
    for check in (loc_03.CHECK, loc_04.CHECK):
        assert one(check, world(tmp_path), "addresses").verdict is Verdict.NODATA
    site = public(tmp_path)
    norway, sweden, states = (table(tmp_path, f"{c}.csv", c) for c in ("NO", "SE", "US"))
    again = table(tmp_path, "again.csv", "NO").__class__(**{**vars(norway), "digest": "0" * 64})

    def geo(*tables: Ranges) -> Verdict:
        context = world(tmp_path, site=site, countries=tables)
        return worst(finding.verdict for finding in run(loc_03.CHECK, context))

    assert geo(norway) is Verdict.NODATA
    assert geo(norway, norway) is Verdict.NODATA
    assert geo(norway, sweden) is Verdict.WARN
    assert geo(norway, again) is Verdict.PASS
    assert geo(states, states.__class__(**{**vars(states), "digest": "1" * 64})) is Verdict.FAIL
    for registrants, expected in ((norway, Verdict.PASS), (states, Verdict.FAIL), (None, Verdict.NODATA)):
        context = world(tmp_path, site=site, registrants=registrants)
        assert worst(each.verdict for each in run(loc_04.CHECK, context)) is expected


# NET-01


def test_what_reached_the_source_before_it_was_left_was_as_declared(tmp_path: Path) -> None:
    site = world(tmp_path).site
    to_source = Egress(protocol="tcp", address=site.source.database.host, port=3306)
    row = Observation(at=NOW, node="oslo-1", egress=(to_source,))

    def judged(**fields: Any) -> Verdict:
        context = world(tmp_path, site=site, observations=(row,), **fields)
        found = {each.subject: each.verdict for each in run(net_01.CHECK, context)}
        return found.get(f"oslo-1/{to_source.address}", Verdict.PASS)

    assert judged() is Verdict.PASS, "it is the source, until the cutover"
    after: dict[str, Any] = {"phase": "after-finalize"}
    assert judged(**after, source_left_at=NOW + timedelta(seconds=1)) is Verdict.PASS
    assert judged(**after, source_left_at=NOW) is Verdict.FAIL
    assert judged(**after) is Verdict.FAIL


def week(
    *destinations: str, days: float = 7, step_min: float = 30, hole_h: float = 0
) -> tuple[Observation, ...]:
    egress = tuple(Egress(protocol="tcp", address=each, port=443) for each in destinations)
    times = [timedelta(minutes=step_min * n) for n in range(int(days * 24 * 60 / step_min) + 1)]
    return tuple(
        Observation(at=NOW - at, node=node, egress=egress)
        for node in ("oslo-1", "oslo-2", "oslo-3")
        for at in reversed(times)
        if not hole_h or not timedelta(hours=24) < at < timedelta(hours=24 + hole_h)
    )


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((), Verdict.NODATA),
        (week(), Verdict.PASS),
        (week("192.0.2.130", "10.60.0.12", "198.18.0.11"), Verdict.PASS),
        (week(days=6.9), Verdict.NODATA),
        (week(hole_h=2), Verdict.NODATA),
        (week("192.0.2.1"), Verdict.FAIL),
        (week("192.0.2.1", days=0.1), Verdict.FAIL),
        (week("2001:db8::1"), Verdict.FAIL),
        ((Observation(at=NOW, node="oslo-1", unseen="no conntrack"),), Verdict.NODATA),
    ],
)
def test_a_week_without_a_hole_to_declared_places_passes(
    seen: Sequence[Observation], expected: Verdict, tmp_path: Path
) -> None:
    site = declared(tmp_path, processors=(POST,))
    findings = run(net_01.CHECK, world(tmp_path, site=site, observations=tuple(seen)))
    assert worst(finding.verdict for finding in findings) is expected


def test_an_address_is_a_declared_companys_by_its_name_as_the_node_resolved_it(tmp_path: Path) -> None:
    rows = week("203.0.113.5", "203.0.113.6")
    at = Resolved(name="api.nordpost.example", addresses=("203.0.113.5",))
    resolved = tuple(row.model_copy(update={"resolved": (at,)}) for row in rows[-1:])  # of oslo-3 alone
    site = declared(tmp_path, processors=(POST,))
    context = world(tmp_path, site=site, observations=(*rows[:-1], *resolved))
    found = {each.subject: each for each in run(net_01.CHECK, context)}
    assert found["oslo-1/203.0.113.5"].verdict is Verdict.FAIL  # there nobody resolved it
    assert "oslo-3/203.0.113.5" not in found
    assert found["oslo-3/203.0.113.6"].verdict is Verdict.FAIL
    window = found["oslo-3"]
    assert "1 addresses known by a resolved name, 1 undeclared" in window.observed
    assert "api.nordpost.example: Nordpost AS" in window.evidence[-1].excerpt
    undeclared = world(tmp_path, observations=(*rows[:-1], *resolved))
    assert one(net_01.CHECK, undeclared, "oslo-3/203.0.113.5").verdict is Verdict.FAIL


# DAT-04, DAT-06, DAT-07, NET-03, NET-04, IAM-01


class Kube(FakeKube):
    """Has the kinds of which it has objects."""

    def __init__(self, **objects: Any) -> None:
        super().__init__(**objects)
        self._kinds = [("example/v1", kind) for kind in objects]

    def kinds(self) -> Sequence[tuple[str, str]]:
        return self._kinds


def pod(namespace: str = "shop", name: str = "shop-1", **container: Any) -> dict[str, Any]:
    spec = {"containers": [{"image": "10.60.0.11:5000/shop:1", **container}]}
    return {"metadata": {"namespace": namespace, "name": name}, "spec": spec}


def env(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


API = pod("kube-system", "kube-apiserver-oslo-1", command=["kube-apiserver", "--secure-port=6443"])


def api(*flags: str) -> dict[str, Any]:
    return pod("kube-system", "kube-apiserver-oslo-1", command=["kube-apiserver", *flags])


def store(**provider: Any) -> dict[str, Any]:
    return {"metadata": {"name": "store"}, "spec": {"provider": provider}}


def location(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "default"}, "spec": spec}


@pytest.mark.parametrize(
    ("check", "objects", "subject", "expected"),
    [
        (dat_04.CHECK, {}, "backups", Verdict.NODATA),
        (
            dat_04.CHECK,
            {"BackupStorageLocation": [location(provider="aws")]},
            "backupstoragelocation/default",
            Verdict.FAIL,
        ),
        (
            dat_04.CHECK,
            {
                "BackupStorageLocation": [
                    location(provider="aws", config={"s3Url": "https://10.60.0.11:9000"})
                ]
            },
            "backupstoragelocation/default",
            Verdict.PASS,
        ),
        (
            dat_06.CHECK,
            {"Pod": [pod(env=env(SENTRY_DSN="https://key@o1.ingest.sentry.example/1"))]},
            "pod/shop/shop-1/SENTRY_DSN",
            Verdict.NODATA,
        ),
        (
            dat_06.CHECK,
            {"Pod": [pod(env=env(DD_API_KEY="x"))]},
            "pod/shop/shop-1/DD_API_KEY",
            Verdict.FAIL,
        ),
        (dat_06.CHECK, {"Pod": [pod()]}, "pods", Verdict.PASS),
        (dat_06.CHECK, {}, "pods", Verdict.NODATA),
        (dat_07.CHECK, {"Pod": [API]}, "api-server", Verdict.WARN),
        (dat_07.CHECK, {"Pod": [pod()]}, "oslo-1/secret-encryption", Verdict.ERROR),
        (
            dat_07.CHECK,
            {"ClusterSecretStore": [store(aws={"region": "eu-north-1"})]},
            "clustersecretstore/store",
            Verdict.FAIL,
        ),
        (
            dat_07.CHECK,
            {"SecretStore": [store(vault={"server": "https://10.60.0.12:8200"})]},
            "secretstore/store",
            Verdict.PASS,
        ),
        (net_03.CHECK, {}, "target/edge", Verdict.PASS),
        (
            net_03.CHECK,
            {
                "Service": [
                    {
                        "metadata": {"name": "shop", "namespace": "shop"},
                        "status": {"loadBalancer": {"ingress": [{"hostname": "d1.cloudfront.net"}]}},
                    }
                ]
            },
            "service/shop/shop",
            Verdict.FAIL,
        ),
        (net_04.CHECK, {"Pod": [pod(env=env(API="http://db-read:3306"))]}, "endpoints", Verdict.PASS),
        (
            net_04.CHECK,
            {"Pod": [pod(env=env(PAY="https://u:secret@api.pay.example/v1"))]},
            "endpoint/api.pay.example",
            Verdict.NODATA,
        ),
        (
            net_04.CHECK,
            {"Pod": [pod(env=env(SMTP_HOST="email-smtp.eu-north-1.amazonaws.com"))]},
            "endpoint/email-smtp.eu-north-1.amazonaws.com",
            Verdict.FAIL,
        ),
        (
            net_04.CHECK,
            {"Pod": [pod(args=["--post=https://api.nordpost.example"])]},
            "endpoint/api.nordpost.example",
            Verdict.NODATA,
        ),
        (iam_01.CHECK, {"Pod": [API]}, "api-server", Verdict.PASS),
        (
            iam_01.CHECK,
            {"Pod": [api("--oidc-issuer-url=https://x.okta.example")]},
            "api-server",
            Verdict.NODATA,
        ),
        (
            iam_01.CHECK,
            {"Pod": [api("--authentication-token-webhook-config-file=/aws.yaml")]},
            "api-server",
            Verdict.NODATA,
        ),
    ],
)
def test_what_the_cluster_shows(
    check: Check, objects: dict[str, Any], subject: str, expected: Verdict, tmp_path: Path
) -> None:
    context = world(
        tmp_path,
        site=declared(tmp_path, processors=(POST,)),
        target=Kube(**objects),
        hosts=hosts("seen\nunit sshd.service\n"),
    )
    finding = one(check, context, subject)
    assert finding.verdict is expected, finding
    assert "secret" not in "".join(each.excerpt for each in finding.evidence)


def test_a_declared_company_with_a_statement_passes(tmp_path: Path) -> None:
    context = world(
        tmp_path,
        site=declared(tmp_path, processors=(POST,)),
        target=Kube(Pod=[pod(args=["--post=https://api.nordpost.example"])]),
        statements=(signed("NET-04", POST.name),),
    )
    finding = one(net_04.CHECK, context, "endpoint/api.nordpost.example")
    assert finding.verdict is Verdict.PASS
    assert {each.grade for each in finding.evidence} == {Grade.E2, Grade.E4}


@pytest.mark.parametrize(
    ("check", "subject", "facts", "expected"),
    [
        (dat_04.CHECK, "restore", {"restored_at": "2026-11-01"}, Verdict.NODATA),
        (
            dat_04.CHECK,
            "restore",
            {"restored_at": "2026-11-01", "restored_from": "b7", "restored_into": "oslo-3"},
            Verdict.PASS,
        ),
        (dat_07.CHECK, "keys", {"holder": "Fjordshop AS", "country": "NO"}, Verdict.PASS),
        (dat_07.CHECK, "keys", {"holder": "Key Inc", "country": "US"}, Verdict.FAIL),
        (iam_01.CHECK, "access", {"identity_provider": "own", "countries": "NO, SE"}, Verdict.PASS),
        (iam_01.CHECK, "access", {"identity_provider": "own", "countries": "NO, IN"}, Verdict.FAIL),
    ],
)
def test_what_a_person_states(
    check: Check, subject: str, facts: dict[str, str], expected: Verdict, tmp_path: Path
) -> None:
    context = world(
        tmp_path,
        hosts=hosts("seen\nunit sshd.service\n"),
        statements=(signed(check.code, subject, **facts),),
        target=Kube(Pod=[API]),
    )
    assert one(check, context, subject).verdict is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unit ssh.service\nunit rsyslog.service\n", Verdict.PASS),
        ("line /etc/rsyslog.conf *.* @@10.60.0.12:514\nunit rsyslog.service\n", Verdict.PASS),
        ("line /etc/rsyslog.conf *.* @logs.elsewhere.example\nunit rsyslog.service\n", Verdict.NODATA),
        ("unit amazon-cloudwatch-agent.service\n", Verdict.FAIL),
        ("unit fluent-bit.service\n", Verdict.NODATA),
        ("", Verdict.ERROR),
    ],
)
def test_where_a_hosts_logs_go(text: str, expected: Verdict, tmp_path: Path) -> None:
    context = world(tmp_path, hosts=hosts(text))
    assert one(dat_06.CHECK, context, "oslo-1/log-sinks").verdict is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seen\nkari     pts/0        10.60.0.1        Mon Nov 23 11:00   still logged in\n", Verdict.PASS),
        ("seen\nkari     pts/0        192.0.2.130      Mon Nov 23 11:00   still logged in\n", Verdict.PASS),
        ("seen\nops      pts/1        8.8.8.8          Mon Nov 23 11:00 - 11:05  (00:05)\n", Verdict.NODATA),
        ("unseen\n", Verdict.NODATA),
        ("what\n", Verdict.ERROR),
    ],
)
def test_from_where_people_logged_in(text: str, expected: Verdict, tmp_path: Path) -> None:
    site = declared(tmp_path, processors=(POST,))
    context = world(tmp_path, site=site, hosts=hosts(text), target=Kube(Pod=[API]))
    assert one(iam_01.CHECK, context, "oslo-1/logins").verdict is expected


def test_an_address_of_nobody_in_the_zone_is_no_data(tmp_path: Path) -> None:
    context: Residency = world(tmp_path, dns=FakeDns(addresses=("203.0.113.9",)))
    assert one(net_03.CHECK, context, "shop.fjordshop.example/203.0.113.9").verdict is Verdict.NODATA


def test_services_and_ingresses_are_judged_apart(tmp_path: Path) -> None:
    def answered_by(host: str) -> dict[str, Any]:
        metadata = {"name": "shop", "namespace": "shop"}
        return {"metadata": metadata, "status": {"loadBalancer": {"ingress": [{"hostname": host}]}}}

    service, ingress = answered_by("d1.cloudfront.net"), answered_by("shop.fjordshop.example")
    context = world(tmp_path, target=Kube(Service=[service], Ingress=[ingress]))
    assert one(net_03.CHECK, context, "service/shop/shop").verdict is Verdict.FAIL
    assert one(net_03.CHECK, context, "ingress").verdict is Verdict.PASS
    assert "service" not in {each.subject for each in run(net_03.CHECK, context)}
    other = world(tmp_path, target=Kube(Service=[ingress], Ingress=[service]))
    assert one(net_03.CHECK, other, "service").verdict is Verdict.PASS
    assert one(net_03.CHECK, other, "ingress/shop/shop").verdict is Verdict.FAIL
