"""A question to a host: the command, and the pure parse of what it prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from inventory.models.command import Shellable
from tasks.drivers.errors import OutsideError

T = TypeVar("T")


class FactUnreadable(OutsideError):
    """The host answered, and the answer cannot be understood: the fact is unknown, not absent."""


@dataclass(frozen=True)
class Asked(Generic[T]):
    """`parse` takes stdout and raises ValueError where it cannot understand it; the command exits with 0."""

    subject: str
    command: Shellable
    parse: Callable[[str], T]


def fields(line: str, count: int, separator: str = "\t") -> list[str]:
    """The line's fields. Raises ValueError where there are not exactly `count`."""
    found = line.split(separator)
    if len(found) != count:
        raise ValueError(f"{count} fields expected, found {len(found)}: {line!r}")
    return found
