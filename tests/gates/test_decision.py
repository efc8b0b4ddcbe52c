"""Go or no-go, waivers, and a digest that is the same for the same evidence."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.models.finding import Finding, Waiver
from inventory.models.verdict import Verdict
from tasks.gates.decision import decide

TODAY = date(2015, 10, 6)


def finding(code: str = "KVM-01", subject: str = "oslo-1", verdict: Verdict = Verdict.PASS) -> Finding:
    return Finding(code=code, subject=subject, verdict=verdict, observed="a container")


def waiver(check: str = "KVM-01", subject: str = "oslo-1", expires: date = TODAY) -> Waiver:
    return Waiver(
        check=check, subject=subject, reason="the rehearsal has containers", approver="Kari", expires=expires
    )


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_pass_and_warn_are_go(verdict: Verdict) -> None:
    decision = decide([finding(), finding("X", "y", verdict)], [], TODAY)
    assert decision.go == (verdict in (Verdict.PASS, Verdict.WARN))
    assert bool(decision.reasons) != decision.go


def test_nothing_judged_is_no_go() -> None:
    decision = decide([], [], TODAY)
    assert (decision.verdict, decision.reasons) == ("no-go", ("nothing was judged",))


def test_a_waiver_lets_its_check_through_on_its_subject_and_is_shown() -> None:
    bad = finding(verdict=Verdict.FAIL)
    decision = decide([bad], [waiver()], TODAY)
    assert decision.go
    assert decision.applied == (waiver(),)
    assert (decision.findings[0].verdict, decision.findings[0].waived_by) == (Verdict.FAIL, "Kari")


@pytest.mark.parametrize(
    ("other", "go"),
    [
        (waiver(subject="*"), True),
        (waiver(subject="oslo-2"), False),
        (waiver(check="KVM-02"), False),
        (waiver(expires=date(2015, 10, 5)), False),
        (waiver(check="*"), False),
    ],
)
def test_which_waivers_apply(other: Waiver, go: bool) -> None:
    assert decide([finding(verdict=Verdict.FAIL)], [other], TODAY).go == go


def test_an_expired_waiver_is_named_and_one_that_is_not_needed_is_not_applied() -> None:
    old = waiver(expires=date(2015, 1, 1))
    decision = decide([finding()], [old, waiver()], TODAY)
    assert (decision.expired, decision.applied) == ((old,), ())
    assert decision.findings[0].waived_by is None


findings = st.lists(
    st.builds(finding, st.sampled_from("ABC"), st.sampled_from("xyz"), st.sampled_from(list(Verdict))),
    max_size=8,
)
waivers = st.lists(
    st.builds(
        waiver,
        st.sampled_from("ABC"),
        st.sampled_from(["x", "y", "*"]),
        st.dates(date(2015, 10, 1), date(2015, 10, 10)),
    ),
    max_size=4,
)


@given(findings, waivers, st.randoms())
def test_the_digest_does_not_depend_on_the_order(
    mine: list[Finding], let: list[Waiver], dice: object
) -> None:
    shuffled = list(mine)
    dice.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    one, two = decide(mine, let, TODAY), decide(shuffled, let, TODAY)
    assert one == two
    assert len(one.digest) == 64


@given(findings, waivers)
def test_a_waiver_never_lets_through_what_it_does_not_name(mine: list[Finding], let: list[Waiver]) -> None:
    decision = decide(mine, let, TODAY)
    blocked = [f for f in decision.findings if not f.verdict.lets_go_on and f.waived_by is None]
    assert decision.go == (bool(mine) and not blocked)
    for item in decision.findings:
        named = [w for w in let if w.check == item.code and w.subject in (item.subject, "*")]
        if item.waived_by:
            assert any(w.expires >= TODAY for w in named)
        assert len(decision.findings) == len(mine)


def test_the_digest_changes_with_any_verdict() -> None:
    good, bad = decide([finding()], [], TODAY), decide([finding(verdict=Verdict.WARN)], [], TODAY)
    assert good.digest != bad.digest
