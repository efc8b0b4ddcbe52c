"""The countries of the European Economic Area, by ISO 3166-1 alpha-2 code.

Source: the EEA Agreement's contracting parties as of 2026: the 27 member states of the EU, Iceland,
Liechtenstein and Norway. Whether a country outside has an adequacy decision is a document's to say (LEG-03).
"""

from __future__ import annotations

_CODES = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
EEA = frozenset(_CODES.split())


def outside(*countries: str) -> list[str]:
    """Those that are named and do not lie in the EEA, in their order."""
    return [each for each in countries if each and each not in EEA]
