"""RFC 8785 canonical JSON of plain values; refuses what is not JSON, and every Secret."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import rfc8785

from inventory.models.secret import Secret

MAX_SAFE_INTEGER = 2**53 - 1  # RFC 8785 section 3.2.2.3: numbers are IEEE 754 doubles


def plain(value: object, where: str = "body") -> Any:
    """The value as dict, list, str, int, float, bool and None, copied.

    Raises TypeError for a Secret or anything that is not JSON, ValueError for a number or text that JSON
    cannot hold; both name the place.
    """
    if isinstance(value, Secret):
        raise TypeError(f"{where}: a secret may not enter the ledger")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(str(value), where)
    if isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise ValueError(f"{where}: {value} is beyond 2^53 - 1; write it as text")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where}: {value} is not a JSON number")
        return float(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{where}: the key {key!r} is not text")
        return {_text(str(key), where): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise TypeError(f"{where}: {type(value).__name__} is not JSON")


def canonical(value: object) -> bytes:
    """RFC 8785 bytes of a value that `plain` accepts."""
    return rfc8785.dumps(plain(value, "value"))


def _text(value: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{where}: {value!r} holds a lone surrogate, which is not text") from None
    return value
