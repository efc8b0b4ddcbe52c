"""A policy weighs findings: nothing becomes a pass, nothing is dropped, and what nobody saw is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.policy import known_policies, load_policy
from tasks.checks.registry import in_group

CODES = ("INV-01", "DAT-01", "DAT-02", "DAT-03", "DAT-05", "NET-02")


def finding(code: str, verdict: Verdict, severity: Severity = Severity.HIGH) -> Finding:
    return Finding(code=code, subject="s", verdict=verdict, observed="seen", severity=severity)


def test_the_four_policies_load() -> None:
    assert known_policies() == ["datatilsynet", "dpf", "safe-harbor-2015", "strict"]
    for name in known_policies():
        assert load_policy(name).name == name


def test_an_unknown_policy_lists_the_known() -> None:
    with pytest.raises(
        BadInput, match=r"no policy 'stric'; did you mean strict\? \(known: datatilsynet, dpf"
    ):
        load_policy("stric")


def test_an_unknown_blocks_where_critical_and_warns_where_medium() -> None:
    policy = load_policy("safe-harbor-2015")
    given = [finding(code, Verdict.PASS) for code in CODES if code not in ("INV-01", "DAT-05")]
    given += [finding("INV-01", Verdict.NODATA), finding("DAT-05", Verdict.FAIL)]
    settled = {each.code: each for each in policy.settle(given)}
    assert settled["INV-01"].verdict is Verdict.NODATA
    assert settled["INV-01"].severity is Severity.CRITICAL
    assert settled["DAT-05"].verdict is Verdict.WARN
    assert "(fail; at severity medium" in settled["DAT-05"].observed


def test_a_required_control_that_nobody_observed_is_nodata() -> None:
    settled = load_policy("strict").settle([finding(code, Verdict.PASS) for code in CODES])
    unobserved = {each.code for each in settled if each.verdict is Verdict.NODATA}
    assert {"LOC-01", "DAT-04", "EXIT-01"} <= unobserved
    assert not unobserved & set(CODES)


@given(
    st.sampled_from(["datatilsynet", "dpf", "safe-harbor-2015", "strict"]),
    st.lists(st.tuples(st.sampled_from([*CODES, "OTH-01"]), st.sampled_from(list(Verdict)))),
)
def test_nothing_becomes_a_pass_and_nothing_is_dropped(name: str, pairs: list[tuple[str, Verdict]]) -> None:
    before = [finding(code, verdict) for code, verdict in pairs]
    after = load_policy(name).settle(before)
    for old, new in zip(before, after, strict=False):
        assert (old.code, old.subject) == (new.code, new.subject)
        assert (new.verdict is Verdict.PASS) == (old.verdict is Verdict.PASS)
        if new.verdict is not old.verdict:
            assert new.verdict is Verdict.WARN
            assert old.verdict.value in new.observed
    assert all(
        each.verdict is Verdict.NODATA or each.verdict is Verdict.WARN for each in after[len(before) :]
    )


def test_every_policy_weighs_every_control_that_there_is_a_check_for() -> None:
    codes = {check.code for check in in_group("residency")}
    assert len(codes) == 23
    for name in known_policies():
        assert {control.code for control in load_policy(name).required} == codes


def test_strict_takes_no_control_lighter_than_the_catalogue() -> None:
    rank = [Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL]
    weights = {control.code: control.severity for control in load_policy("strict").required}
    for check in in_group("residency"):
        assert rank.index(weights[check.code]) >= rank.index(check.severity)
