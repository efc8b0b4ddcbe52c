"""Whether every order that the shop acknowledged stands, once, in the database that is primary now.

The customers' log is one witness, the orders tables of both sides are the other. The comparison is pure; only
`rows_of` reads a database.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inventory.errors import BadInput
from tasks.drivers.ports import Sql


@dataclass(frozen=True)
class Checkout:
    """One checkout in the customers' log; `order` is the number that the shop answered with, if it did."""

    token: str
    order: int | None


@dataclass(frozen=True)
class OrderRow:
    """One row of an orders table."""

    order: int
    token: str
    site: str


@dataclass(frozen=True)
class OrderReport:
    """What became of the orders.

    `lost` holds the tokens that were acknowledged and do not stand under the acknowledged number in the
    primary; `doubled` holds tokens with more than one row in a table, or more than one number over both
    tables or in the answers, and numbers that two tokens share; `unanswered` stand although nobody heard of
    it; `by_site` counts the run's rows of the primary by the side that placed them; `behind` are tokens that
    the primary has and the other side lacks.
    """

    placed: int
    acknowledged: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    unanswered: tuple[str, ...]
    behind: tuple[str, ...]
    by_site: dict[str, int] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return not self.lost and not self.doubled


def compare_orders(
    checkouts: Sequence[Checkout], primary: Sequence[OrderRow], other: Sequence[OrderRow] = ()
) -> OrderReport:
    """Compare the log of one run with the tables of the primary and of the other side.

    Rows of other runs (tokens that are not in the log) are left out, except where one shares a number with
    an order of this run.
    """
    asked = {checkout.token for checkout in checkouts}
    answers: dict[str, set[int]] = {}
    for checkout in checkouts:
        if checkout.order is not None:
            answers.setdefault(checkout.token, set()).add(checkout.order)
    standing = _numbers(primary)
    elsewhere = _numbers(other)
    lost = sorted(token for token, numbers in answers.items() if not numbers <= standing.get(token, set()))
    ours = [row for row in primary if row.token in asked]
    return OrderReport(
        placed=len({row.token for row in ours}),
        acknowledged=len(answers),
        lost=tuple(lost),
        doubled=tuple(sorted(_doubled(asked, answers, primary, other))),
        unanswered=tuple(sorted({row.token for row in ours} - set(answers))),
        behind=tuple(sorted({row.token for row in ours} - set(elsewhere))),
        by_site=dict(Counter(row.site for row in ours)),
    )


def _numbers(rows: Iterable[OrderRow]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for row in rows:
        found.setdefault(row.token, set()).add(row.order)
    return found


def _doubled(
    asked: set[str],
    answers: Mapping[str, set[int]],
    primary: Sequence[OrderRow],
    other: Sequence[OrderRow],
) -> set[str]:
    doubled = {token for token, numbers in answers.items() if len(numbers) > 1}
    owners: dict[int, set[str]] = {}
    numbers_of: dict[str, set[int]] = {}
    for rows in (primary, other):
        in_table = Counter(row.token for row in rows)
        doubled |= {token for token, count in in_table.items() if count > 1}
        for row in rows:
            owners.setdefault(row.order, set()).add(row.token)
            numbers_of.setdefault(row.token, set()).add(row.order)
    doubled |= {token for token, numbers in numbers_of.items() if len(numbers) > 1}
    for tokens in owners.values():
        if len(tokens) > 1:
            doubled |= tokens
    return doubled & asked


def read_checkouts(lines: Iterable[str]) -> list[Checkout]:
    """The checkouts of a customers' log. Raises BadInput with the line's number for one that is not JSON."""
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            entry: dict[str, Any] = json.loads(line)
            token, order = entry.get("token"), entry.get("order")
        except (ValueError, AttributeError) as error:
            raise BadInput(f"line {number} of the customers' log is no JSON object: {error}") from error
        if token:
            found.append(Checkout(token, order))
    return found


def rows_of(database: Sql, schema: str) -> list[OrderRow]:
    """Every row of a side's orders table. Raises the driver's errors."""
    if not schema.isidentifier():
        raise BadInput(f"{schema!r} is not the name of a database")
    rows = database.rows(f"SELECT id, token, site FROM `{schema}`.orders ORDER BY id")  # noqa: S608 - checked
    return [OrderRow(int(row["id"]), str(row["token"]), str(row["site"])) for row in rows]
