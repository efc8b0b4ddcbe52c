"""Numbers of payment cards, told from other numbers of 15, 16 and 19 digits.

The first digits name the network, the last one is a check digit (Luhn). Source: ISO/IEC 7812-1. Of random
numbers of 16 digits about one in 25 has both; an order number is left alone with that probability. The 13
and 14 digits of old Visa and of Diners are not looked for: those are bar codes (GTIN) as a rule.
"""

from __future__ import annotations

import re

_NETWORK = re.compile(
    r"3[47]\d{13}|4\d{15}|4\d{18}|5[0-8]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}|35\d{14}|6\d{15}|6\d{18}"
)


def is_payment_card(digits: str) -> bool:
    """Whether these digits begin as those of a network and have its length and check digit."""
    if not (digits.isascii() and _NETWORK.fullmatch(digits)):
        return False
    doubled = (2 * int(digit) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0
