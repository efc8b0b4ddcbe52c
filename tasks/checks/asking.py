"""Asks hosts at once, each its own questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Host
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts, gather

T = TypeVar("T")


def ask_hosts(
    hosts: Mapping[str, Host], asked: Mapping[str, Sequence[Asked[Any]]]
) -> dict[str, Facts | OutsideError]:
    """Each host's answers to its questions (host's name -> questions), or why there are none."""

    def one(name: str) -> Facts | OutsideError:
        try:
            return gather(hosts[name], asked[name])
        except OutsideError as error:
            return error

    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        return dict(zip(asked, pool.map(one, asked), strict=True))


def answer(facts: Facts | OutsideError, asked: Asked[T]) -> T:
    """The answer. Raises OutsideError where there is none, or none that can be understood."""
    if isinstance(facts, OutsideError):
        raise facts
    return facts.of(asked)
