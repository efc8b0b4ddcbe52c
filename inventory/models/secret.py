"""A secret by type: it never shows itself."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """A value that is masked wherever it is shown; `reveal()` is the one way to it.

    It refuses to be pickled or serialized, so that it cannot end in a result store, a log or the ledger.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not serialized: pass the path of the file that holds it")
