import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from rehearsal.orders import Checkout, OrderRow, compare_orders, read_checkouts, rows_of

numbers = st.integers(1, 50)
run = st.dictionaries(st.integers(1, 200), st.booleans(), max_size=30)


def rows(count: int) -> list[OrderRow]:
    return [OrderRow(n, f"t{n}", "aws" if n % 2 else "oslo") for n in range(1, count + 1)]


@given(run)
def test_a_sound_run_is_sound_whatever_answers_got_lost(heard: dict[int, bool]) -> None:
    checkouts = [Checkout(f"t{n}", n if told else None) for n, told in heard.items()]
    table = [OrderRow(n, f"t{n}", "aws") for n in heard]
    report = compare_orders(checkouts, table, table)
    assert report.sound
    assert report.placed == len(heard)
    assert report.acknowledged == sum(heard.values())
    assert len(report.unanswered) == len(heard) - sum(heard.values())
    assert report.behind == ()


@given(run, st.data())
def test_every_acknowledged_order_that_is_missing_is_named(
    heard: dict[int, bool], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(heard)))) if heard else set()
    checkouts = [Checkout(f"t{n}", n if told else None) for n, told in heard.items()]
    whole = [OrderRow(n, f"t{n}", "aws") for n in heard]
    kept = [row for row in whole if row.order not in gone]
    report = compare_orders(checkouts, kept, whole)  # standing on the other side only is lost, too
    assert set(report.lost) == {f"t{n}" for n in gone if heard[n]}
    assert report.doubled == ()


@given(numbers, numbers)
def test_a_token_with_two_numbers_is_doubled_wherever_the_second_one_stands(one: int, two: int) -> None:
    first, second = OrderRow(one, "t", "aws"), OrderRow(two, "t", "oslo")
    for primary, other in (([first, second], []), ([first], [second]), ([second], [first])):
        report = compare_orders([Checkout("t", None)], primary, other)
        expected = len(primary) == 2 or one != two
        assert (report.doubled == ("t",)) is expected


def test_a_number_that_both_sides_gave_out_is_doubled() -> None:
    checkouts = [Checkout("a", 7), Checkout("b", 7)]
    report = compare_orders(checkouts, [OrderRow(7, "a", "aws")], [OrderRow(7, "b", "oslo")])
    assert report.doubled == ("a", "b")
    assert report.lost == ("b",)
    assert not report.sound


def test_an_order_acknowledged_under_another_number_is_lost() -> None:
    report = compare_orders([Checkout("t1", 99)], rows(3))
    assert report.lost == ("t1",)


def test_two_answers_with_different_numbers_are_doubled() -> None:
    report = compare_orders([Checkout("t1", 1), Checkout("t1", 2)], rows(1))
    assert report.doubled == ("t1",)


def test_rows_of_other_runs_do_not_count() -> None:
    report = compare_orders([Checkout("t1", 1), Checkout("t2", 2)], rows(10), rows(1))
    assert (report.placed, report.acknowledged) == (2, 2)
    assert report.by_site == {"aws": 1, "oslo": 1}
    assert report.behind == ("t2",)


def test_the_log_is_read_and_a_broken_line_named() -> None:
    lines = [
        '{"path": "/", "token": "", "order": null}',
        '{"path": "/checkout", "token": "a", "order": 5}',
        '{"path": "/checkout", "token": "b", "order": null}',
    ]
    assert read_checkouts(lines) == [Checkout("a", 5), Checkout("b", None)]
    with pytest.raises(BadInput, match="line 2"):
        read_checkouts([lines[0], '{"path": '])
    with pytest.raises(BadInput, match="line 1"):
        read_checkouts(["[]"])


def test_a_database_is_named_by_a_plain_name() -> None:
    class Never:
        name = "x"

        def rows(self, statement: str, parameters: object = ()) -> list[dict[str, object]]:
            raise AssertionError(statement)

        def execute(self, statement: str, parameters: object = ()) -> int:
            raise AssertionError(statement)

        def close(self) -> None:
            raise AssertionError("closed")

    with pytest.raises(BadInput, match="not the name"):
        rows_of(Never(), "shop`; DROP TABLE orders")
