"""Columns of a capture or schedule: arrays of C numbers, one item an entry, made with no second copy."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np


def column(code: str, values: np.ndarray) -> array[Any]:
    """An `array` of this type code; values of another C type are converted."""
    made: array[Any] = array(code)
    made.frombytes(np.ascontiguousarray(values, dtype=np.dtype(code)).view(np.uint8).data)
    return made
