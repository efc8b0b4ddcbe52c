"""Norwegian national identity numbers (fodselsnummer and D-number), told from other numbers of 11 digits.

Six digits of the birth date, three of an individual number, two check digits modulo 11. The day is 40 higher
in a D-number, the month 40, 65 or 80 higher in numbers of hospitals and of the authorities' test persons.
Source: Skatteetaten, control of national identity numbers. Of random numbers of 11 digits about one in 400
has both check digits and a date; an order number is left alone with that probability.
"""

from __future__ import annotations

_FIRST = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)
_SECOND = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
_MONTHS = frozenset(month + more for month in range(1, 13) for more in (0, 40, 65, 80))
_DAYS = frozenset(day + more for day in range(1, 32) for more in (0, 40))


def is_national_id(digits: str) -> bool:
    """Whether these 11 digits have the date and both check digits of one."""
    if len(digits) != 11 or not (digits.isascii() and digits.isdigit()):
        return False
    numbers = [int(digit) for digit in digits]
    return (
        int(digits[:2]) in _DAYS
        and int(digits[2:4]) in _MONTHS
        and sum(a * b for a, b in zip(numbers, _FIRST, strict=False)) % 11 == 0
        and sum(a * b for a, b in zip(numbers, _SECOND, strict=True)) % 11 == 0
    )
