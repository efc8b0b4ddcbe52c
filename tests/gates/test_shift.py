"""The rule that lets the next share of traffic be shifted."""

from hypothesis import given
from hypothesis import strategies as st

from inventory.models.verdict import Verdict
from tasks.gates.shift import difference, judge_shift

COUNT = st.integers(min_value=0, max_value=10**6)


def _side(requests: int, errors: int = 0, fallbacks: int = 0, servers_up: int = 1) -> dict[str, int]:
    return {"requests": requests, "errors": errors, "fallbacks": fallbacks, "servers_up": servers_up}


def _verdict(percent: int, source: dict[str, int], target: dict[str, int], rate: float = 0.0) -> Verdict:
    spent = {"source": source, "target": target}
    return judge_shift(percent, spent, max_error_rate=rate, min_requests=100).verdict


def test_a_clean_share_passes() -> None:
    assert _verdict(10, _side(900), _side(100)) is Verdict.PASS


def test_one_error_at_the_target_fails_where_none_is_allowed() -> None:
    assert _verdict(10, _side(900), _side(100, 1)) is Verdict.FAIL


def test_errors_up_to_the_allowed_rate_pass() -> None:
    assert _verdict(50, _side(500), _side(1000, 1), rate=0.001) is Verdict.PASS
    assert _verdict(50, _side(500), _side(1000, 2), rate=0.001) is Verdict.FAIL


def test_errors_of_the_source_alone_do_not_stop_the_way_out_of_it() -> None:
    assert _verdict(50, _side(500, 20), _side(500)) is Verdict.PASS


def test_no_traffic_is_no_proof() -> None:
    assert _verdict(10, _side(0), _side(0)) is Verdict.NODATA
    assert _verdict(10, _side(900), _side(0)) is Verdict.NODATA


def test_a_dead_target_that_only_fails_to_connect_fails() -> None:
    assert _verdict(50, _side(900), _side(0, 40)) is Verdict.FAIL


def test_a_request_that_fell_back_to_the_source_fails_though_the_customer_saw_nothing() -> None:
    assert _verdict(50, _side(900), _side(100, 0, fallbacks=3)) is Verdict.FAIL


def test_a_target_whose_edge_is_down_fails_before_it_costs_a_request() -> None:
    assert _verdict(50, _side(900), _side(100, servers_up=0)) is Verdict.FAIL


def test_the_baseline_before_any_shift_needs_traffic_only() -> None:
    assert _verdict(0, _side(400), _side(0)) is Verdict.PASS


@given(COUNT, COUNT, COUNT, COUNT)
def test_difference_is_never_negative(r0: int, e0: int, r1: int, e1: int) -> None:
    spent = difference({"target": _side(r0, e0)}, {"target": _side(r1, e1)})["target"]
    assert spent["requests"] >= 0 and spent["errors"] >= 0
    if r1 >= r0 and e1 >= e0:
        assert spent == _side(r1 - r0, e1 - e0)
