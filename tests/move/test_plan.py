"""The plan: what is known is counted, what is not known is named, and all of it fits on a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from inventory.load import load_site
from inventory.models.cluster import KubeProxy
from inventory.models.finding import Finding
from inventory.models.plan import Plan, PlannedTable
from inventory.models.resource import Resource, Survey
from inventory.models.site import Site
from inventory.models.verdict import Verdict
from tasks.move.plan import draw_up, read_tables
from tasks.move.plan_text import COLUMNS, LINES, render, size
from tests.inventory.sites import whole

TABLES = [
    PlannedTable(name="orders", rows=10, size_bytes=4096),
    PlannedTable(name="products", rows=2, size_bytes=8192),
]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return load_site(whole(tmp_path))


def kube(
    kind: str, name: str, region: str = "source", namespace: str = "shop", **attributes: Any
) -> Resource:
    return Resource(
        service="kubernetes",
        region=region,
        kind=kind,
        id=f"{region}/{kind}/{namespace}/{name}",
        name=name,
        attributes={"namespace": namespace, **attributes},
    )


IMAGE = "198.18.0.12:5000/fjordshop/shop:1.0"
FOUND = (
    kube("Deployment", "shop", images=[IMAGE]),
    kube("Pod", "shop-1", images=[IMAGE]),
    kube("Service", "shop"),
    kube("Service", "db-read"),
    kube("Deployment", "other", namespace="kube-system", images=["elsewhere/x:1"]),
    kube("Deployment", "shop", region="oslo", images=["10.60.0.11:5000/fjordshop/shop:1.0"]),
    Resource(
        service="ecr",
        region="us-east-1",
        kind="image",
        id="fjordshop/shop@sha256:1",
        name="fjordshop/shop",
        attributes={"bytes": 1000, "image_tags": ["1.0"], "repository": "fjordshop/shop"},
    ),
    Resource(
        service="s3",
        region="us-east-1",
        kind="bucket",
        id="media",
        name="media",
        attributes={"objects": 3, "bytes": 500},
    ),
    Resource(service="ec2", region="eu-west-1", kind="instance", id="i-8", name="reports"),
)


def survey(resources: Sequence[Resource] = FOUND) -> Survey:
    return Survey(
        schema="safe-harbor/survey/v1",
        site="whole",
        observed_at="2026-11-23T11:00:00+00:00",
        resources=tuple(resources),
        coverage=(),
    )


def test_what_moves_is_counted(site: Site) -> None:
    plan = draw_up(site, survey(), tables=TABLES)
    assert [(i.source, i.target, i.size_bytes) for i in plan.images] == [
        (IMAGE, "10.60.0.11:5000/fjordshop/shop:1.0", 1000)
    ]
    assert plan.objects == {"Deployment": 1, "Service": 2}
    assert (plan.bucket.objects, plan.bucket.size_bytes) == (3, 500)
    assert plan.transfer_bytes == 1000 + 500 + 4096 + 8192
    assert plan.unknown == ()
    assert [(r.region, r.kind) for r in plan.outside] == [("eu-west-1", "ec2 instance")]


def test_what_is_not_known_is_named_and_not_counted_as_nothing(site: Site) -> None:
    plan = draw_up(site, survey([FOUND[0]]))
    assert plan.unknown == (
        f"the size of {IMAGE}",
        "the size of s3://media",
        "the size of the database shop",
    )
    assert "the cluster's objects: the survey has none" in draw_up(site, survey([])).unknown
    assert "not known: the size of s3://media" in render(plan)
    assert "an unknown number of objects, unknown" in render(plan)


def test_findings_that_stop_are_apart_from_warnings_and_waived_ones(site: Site) -> None:
    def finding(code: str, verdict: Verdict, waived_by: str | None = None) -> Finding:
        return Finding(code=code, subject="s", verdict=verdict, observed="o", waived_by=waived_by)

    findings = [
        finding("A", Verdict.FAIL),
        finding("B", Verdict.NODATA),
        finding("C", Verdict.WARN),
        finding("D", Verdict.PASS),
        finding("E", Verdict.FAIL, waived_by="Kari"),
    ]
    plan = draw_up(site, survey(), findings)
    assert [f.code for f in plan.blocking] == ["A", "B"]
    assert [f.code for f in plan.warnings] == ["C"]
    assert "A s: fail, o" in render(plan)


def test_the_page_says_each_part(site: Site) -> None:
    page = render(draw_up(site, survey(), tables=TABLES))
    for part in (
        "nothing has been touched yet",
        "cluster oslo, Kubernetes 1.37.1",
        "oslo-1 10.60.0.11 (control-plane, edge, data)",
        "orders (about 10 rows, 4.0 KiB)",
        "s3://media -> http://10.60.0.11:9000/media: 3 objects, 500 B",
        "A shop.fjordshop.example: 198.18.0.10 -> 10.60.0.11",
        "target 1 %, 10 %, 50 %, 100 %, 5 s each",
        "eu-west-1: 1 ec2 instance (reports)",
    ):
        assert part in page, page


def test_a_very_large_plan_still_fits_on_the_page_and_counts_what_it_leaves_out(site: Site) -> None:
    many = [kube("Deployment", f"d{n}", images=[f"198.18.0.12:5000/i{n}:1"]) for n in range(100)]
    many += [kube(f"Kind{n}", "x") for n in range(100)]
    regions = [f"eu-west-{n}" for n in range(40)]
    many += [Resource(service="ec2", region=r, kind="instance", id=f"i-{r}" * 9) for r in regions]
    findings = [
        Finding(code=f"F{n}", subject="s" * 90, verdict=verdict, observed="o\n" * 90)
        for n in range(50)
        for verdict in (Verdict.FAIL, Verdict.WARN)
    ]
    tables = [PlannedTable(name=f"t{n}", rows=1, size_bytes=n) for n in range(300)]
    plan = draw_up(site, survey(many), findings, tables)
    page = render(plan)
    assert len(page.splitlines()) <= LINES
    assert max(map(len, page.splitlines())) <= COLUMNS
    assert "and 97 more images: see plan.json" in page
    assert "50 findings would stop it" in page
    assert len(json.loads(plan.model_dump_json(by_alias=True))["images"]) == 100


def test_plan_json_reads_back_the_same(site: Site) -> None:
    plan = draw_up(site, survey(), tables=TABLES)
    text = plan.model_dump_json(by_alias=True)
    assert json.loads(text)["schema"] == "safe-harbor/plan/v1"
    assert Plan.model_validate_json(text) == plan


def test_the_same_input_gives_the_same_page(site: Site) -> None:
    assert render(draw_up(site, survey(FOUND[::-1]))) == render(draw_up(site, survey()))


def test_tables_are_read_with_the_databases_name_as_a_parameter() -> None:
    class FakeSql:
        name = "rds"
        asked: tuple[str, Sequence[Any]] = ("", ())

        def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
            self.asked = (statement, parameters)
            return [{"name": "orders", "row_estimate": 7, "size_bytes": 16384}]

    sql = FakeSql()
    found = read_tables(sql, "shop'; --")  # type: ignore[arg-type] # as far as it is used
    assert found == (PlannedTable(name="orders", rows=7, size_bytes=16384),)
    assert sql.asked[0].lstrip().startswith("SELECT")
    assert sql.asked[1] == ("shop'; --",)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "unknown"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1 << 30, "1.0 GiB"),
        (1 << 41, "2.0 TiB"),
    ],
)
def test_sizes_are_for_people(count: int | None, text: str) -> None:
    assert size(count) == text


def test_what_masquerade_all_does_is_said_before_it_is_done(site: Site) -> None:
    cluster = site.target.cluster.model_copy(update={"kube_proxy": KubeProxy(masquerade_all=True)})
    hiding = site.model_copy(update={"target": site.target.model_copy(update={"cluster": cluster})})
    assert "clients' addresses: hidden" in render(draw_up(hiding, survey()))
    assert "hidden" not in render(draw_up(site, survey()))
