"""The page of the matrix says what was measured, and hides nothing that was not found."""

from __future__ import annotations

from rehearsal.matrix.page import render
from rehearsal.matrix.result import HealthyRun, Matrix, Row

FOUND = Row(
    fault="wrong-mtu",
    what="MTU 1400",
    primary="FL-MTU",
    named=["FL-MTU"],
    failed=["FL-MTU", "FL-PMTU"],
    unseen=["FL-FRAG"],
    observed="oslo-3: eth0 1400 | pod 1450",
    seconds=12.3,
    healed_s=0.5,
)
MISSED = FOUND.model_copy(update={"fault": "hairpin-off", "primary": "KP-HAIRPIN", "named": [], "failed": []})
WELL = HealthyRun(findings=90, warnings=["CT-LOG"], alarms=[], seconds=10.0)
ALARMED = HealthyRun(findings=90, warnings=[], alarms=["PATH-PODS oslo-1: lost"], seconds=14.0)


def matrix(**changes: object) -> Matrix:
    return Matrix(measured_at="2026-11-23", site="three nodes").model_copy(update=changes)


def test_a_fault_is_found_only_by_exactly_its_check() -> None:
    assert FOUND.found
    assert not MISSED.found
    assert not FOUND.model_copy(update={"named": ["FL-MTU", "FL-PEERS"]}).found


def test_the_cause_is_told_from_what_follows() -> None:
    page = render([matrix(rows=[FOUND])])
    assert "**1 of 1 faults found**" in page
    assert "| wrong-mtu | n | **C** | f |" in page
    assert "| wrong-mtu | MTU 1400 | `FL-MTU` | yes | 12.3 | 0.5 |" in page
    assert "oslo-3: eth0 1400 / pod 1450" in page, "a bar would end the cell"


def test_what_was_not_found_and_what_alarmed_is_shown() -> None:
    bad = matrix(rows=[FOUND, MISSED], healthy=[WELL, ALARMED], untried={"neighbour-overflow": "own kernel"})
    page = render([bad])
    assert "**1 of 2 faults found**" in page
    assert "**no**, expected `KP-HAIRPIN`" in page
    assert "2 runs" in page and "180 findings, **1 false alarms**" in page and "12.0 s (median" in page
    assert "- PATH-PODS oslo-1: lost" in page
    assert "- neighbour-overflow: own kernel" in page
    assert not bad.good
    assert not matrix(rows=[FOUND], healthy=[ALARMED]).good
    assert matrix(rows=[FOUND], healthy=[WELL]).good


def test_a_fault_that_took_another_site_stands_beside_the_others() -> None:
    deep_row = FOUND.model_copy(
        update={"fault": "neighbour-overflow", "primary": "DP-NEIGH", "named": ["DP-NEIGH"]}
    )
    here = matrix(rows=[FOUND], untried={"neighbour-overflow": "own kernel"})
    there = matrix(rows=[deep_row], site="two machines", untried={"wrong-mtu": "not asked"})
    page = render([here, there])
    assert "**2 of 2 faults found**" in page
    assert page.index("## On three nodes") < page.index("## On two machines")
    assert "Not tried" not in page
