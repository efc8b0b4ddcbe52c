from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inventory.models.verdict import Verdict
from inventory.record import record_of
from rehearsal.plan import Plan
from rehearsal.services import prepare
from rehearsal.services.shop import manifests
from rehearsal.services.site_file import write_site_file
from tasks.checks.residency import leg_01, leg_02, leg_03
from tasks.steps.statements import read_statements
from tests.checks.residency.world import survey_of, verdict, world


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    made = replace(Plan(), state=tmp_path_factory.mktemp("state"))
    prepare(made)
    return made


def named(plan: Plan, kind: str, name: str) -> dict[str, Any]:
    found = [m for m in manifests(plan) if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{kind} {name}"
    return found[0]


def test_services_stand_before_the_pods_that_read_their_variables(plan: Plan) -> None:
    order = [(m["kind"], m["metadata"]["name"]) for m in manifests(plan)]
    for service in ("db-read", "db-primary"):
        assert order.index(("Service", service)) < order.index(("Deployment", "shop"))
    assert order.index(("Namespace", "shop")) == 0


@pytest.mark.parametrize("name", ["db-read", "db-primary"])
def test_a_service_without_selector_has_both_kinds_of_endpoints(plan: Plan, name: str) -> None:
    assert "selector" not in named(plan, "Service", name)["spec"]
    port = named(plan, "Service", name)["spec"]["ports"][0]
    endpoints = named(plan, "Endpoints", name)
    assert endpoints["subsets"] == [
        {
            "addresses": [{"ip": plan.rds_private}],
            "ports": [{"name": "mariadb", "port": 3306, "protocol": "TCP"}],
        }
    ]
    assert endpoints["metadata"]["labels"]["endpointslice.kubernetes.io/skip-mirror"] == "true"
    endpoint_slice = named(plan, "EndpointSlice", f"{name}-1")
    assert endpoint_slice["metadata"]["labels"]["kubernetes.io/service-name"] == name
    assert endpoint_slice["endpoints"][0]["addresses"] == [plan.rds_private]
    assert endpoint_slice["ports"][0]["name"] == port["name"]


def test_the_shop_is_probed_and_the_one_flaw_is_the_legacy_mailer(plan: Plan) -> None:
    without = []
    for manifest in manifests(plan):
        if manifest["kind"] == "Deployment":
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                if "readinessProbe" not in container:
                    without.append(f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}")
    assert without == ["legacy/mailer-legacy"]
    shop = named(plan, "Deployment", "shop")
    container = shop["spec"]["template"]["spec"]["containers"][0]
    assert shop["spec"]["replicas"] == 3
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["image"] == "198.18.0.12:5000/fjordshop/shop:1.4.2"


def test_no_password_stands_outside_of_the_secret(plan: Plan) -> None:
    password = (plan.secrets / "shop-database.password").read_text().strip()
    holders = [m["kind"] for m in manifests(plan) if password in str(m)]
    assert holders == ["Secret"]


def test_the_site_file_is_taken_by_the_loader_and_holds_no_secret(plan: Plan, tmp_path: Path) -> None:
    site = write_site_file(plan, Path("/opt/programs"), tmp_path / "out")
    text = (plan.site / "site.yaml").read_text()
    for secret in plan.secrets.iterdir():
        for line in secret.read_text().splitlines():
            assert line not in text or line == "[default]", f"{secret.name} stands in the site file"
    assert site.name == "rehearsal"
    assert [str(node.address) for node in site.target.nodes] == ["10.60.0.11", "10.60.0.12", "10.60.0.13"]
    assert site.source.registry.address == "198.18.0.12:5000"
    assert site.dns.cutover_ttl_s == 2
    assert [(waiver.check, waiver.subject) for waiver in site.waivers] == [("ADM-VIRT", "*")]


def test_what_the_rehearsal_states_is_signed_and_its_controls_take_it(plan: Plan, tmp_path: Path) -> None:
    site = write_site_file(plan, Path("/opt/programs"), tmp_path / "out")
    statements = read_statements(site, datetime.now(UTC).date())
    assert [each.statement.control for each in statements] == ["LEG-01", "LEG-02", "LEG-03"]
    context = world(tmp_path / "world", site=site, statements=statements)
    for control in (leg_01, leg_02, leg_03):
        assert verdict(control.CHECK, context) is Verdict.PASS, control
    assert record_of(site, survey_of())["not_declared"] == []
    again = write_site_file(plan, Path("/opt/programs"), tmp_path / "out")
    assert again.processing.signers == site.processing.signers
