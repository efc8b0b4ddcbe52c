"""HDR histograms by numpy: values become buckets in bulk, percentiles come from counts.

The buckets are those of HdrHistogram with 3 significant figures from 1 us to an hour, so that the counts
go into its V2 encoding as they are, and any HdrHistogram tool reads them. A percentile is the highest value
of the bucket in which the rank lies. Counts of runs are added; percentiles are never averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

HIGHEST_US = 3_600_000_000
SIGNIFICANT_FIGURES = 3
_HALF_MAGNITUDE = 10  # 2048 sub-buckets hold 3 significant figures
_HALF = 1 << _HALF_MAGNITUDE
BUCKETS = 23_552  # HdrHistogram's own count for this range
MIN_FOR_P999 = 10_000  # fewer samples say nothing about the slowest thousandth
CURVE = (0.0, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9)


@dataclass(frozen=True)
class Histogram:
    """`counts[i]` values lie in bucket i; `max_us` is the exact largest one."""

    counts: NDArray[np.int64]
    max_us: int

    @classmethod
    def of(cls, values_s: NDArray[np.float64]) -> Histogram:
        """Values in seconds, without NaN; below 1 us counts as 1 us, above an hour as an hour."""
        us = np.clip(np.rint(values_s * 1e6), 1, HIGHEST_US).astype(np.int64)
        counts = np.bincount(_bucket(us), minlength=BUCKETS).astype(np.int64)
        return cls(counts, int(us.max()) if len(us) else 0)

    @classmethod
    def decoded(cls, encoded: str, max_us: int) -> Histogram:
        """Reads what `encoded` gave; the largest value is not in it but as its bucket."""
        library: Any = HdrHistogram.decode(encoded)
        return cls(np.array(library.counts, dtype=np.int64), max_us)

    def __reduce__(self) -> tuple[Any, ...]:
        """Between machines it goes as its HDR encoding: few KB rather than 188."""
        return Histogram.decoded, (self.encoded(), self.max_us)

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(self.counts + other.counts, max(self.max_us, other.max_us))

    @property
    def total(self) -> int:
        """How many values."""
        return int(self.counts.sum())

    def percentile_us(self, percentile: float) -> int:
        """The value that `percentile` per cent of all lie at or below; 0 where there are none."""
        rank = max(1, int(percentile / 100 * self.total + 0.5))
        if not self.total:
            return 0
        return min(_highest(int(np.searchsorted(np.cumsum(self.counts), rank))), self.max_us)

    def figures_ms(self) -> dict[str, float | None]:
        """`p50 p95 p99 max`, and `p99_9` (None below 10,000 samples)."""
        if not self.total:
            return {"p50": None, "p95": None, "p99": None, "p99_9": None, "max": None}
        tail = self.percentile_us(99.9) / 1000 if self.total >= MIN_FOR_P999 else None
        return {
            "p50": self.percentile_us(50) / 1000,
            "p95": self.percentile_us(95) / 1000,
            "p99": self.percentile_us(99) / 1000,
            "p99_9": tail,
            "max": self.max_us / 1000,
        }

    def curve_ms(self, percentiles: Sequence[float] = CURVE) -> list[tuple[float, float]]:
        """(percentile, ms) for a plot, the maximum at 100; p99.9 only where there are samples for it."""
        if not self.total:
            return []
        shown = [p for p in percentiles if p < 99.9 or self.total >= MIN_FOR_P999]
        return [(p, self.percentile_us(p) / 1000) for p in shown] + [(100.0, self.max_us / 1000)]

    def encoded(self) -> str:
        """HdrHistogram V2, compressed, base64."""
        library: Any = HdrHistogram(1, HIGHEST_US, SIGNIFICANT_FIGURES)
        used = np.flatnonzero(self.counts)
        np.ctypeslib.as_array(library.counts)[:] = self.counts
        first, last = (int(used[0]), int(used[-1])) if len(used) else (-1, -1)
        library.set_internal_tacking_values(first, last, self.total)
        return bytes(library.encode()).decode("ascii")


def _bucket(us: NDArray[np.int64]) -> NDArray[np.int64]:
    # frexp's exponent of v is the number of bits of v, exact below 2^53.
    exponent = np.maximum(np.frexp(us.astype(np.float64))[1] - (_HALF_MAGNITUDE + 1), 0).astype(np.int64)
    return np.asarray((exponent << _HALF_MAGNITUDE) + (us >> exponent), dtype=np.int64)


def _highest(bucket: int) -> int:
    exponent = max((bucket >> _HALF_MAGNITUDE) - 1, 0)
    sub_bucket = bucket - (exponent << _HALF_MAGNITUDE)
    return ((sub_bucket + 1) << exponent) - 1
