"""The numpy buckets are HdrHistogram's: same counts, same percentiles, same bytes."""

import pickle

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.replay.histogram import BUCKETS, HIGHEST_US, MIN_FOR_P999, Histogram

values = st.lists(st.integers(1, HIGHEST_US), min_size=1, max_size=50)


@settings(max_examples=30, deadline=None)
@given(values)
def test_counts_percentiles_and_encoding_are_the_librarys(us: list[int]) -> None:
    mine = Histogram.of(np.array(us) / 1e6)
    library = HdrHistogram(1, HIGHEST_US, 3)
    for value in us:
        library.record_value(value)
    assert len(library.counts) == BUCKETS
    assert mine.counts.tolist() == list(library.counts)
    for percentile in (50, 95, 99):
        assert mine.percentile_us(percentile) == min(library.get_value_at_percentile(percentile), max(us))
    assert mine.encoded().encode() == library.encode()
    read = HdrHistogram.decode(mine.encoded())
    assert read.get_total_count() == len(us)
    assert list(read.counts) == list(library.counts)


@given(values, values)
def test_adding_histograms_is_measuring_all_values(a: list[int], b: list[int]) -> None:
    added = Histogram.of(np.array(a) / 1e6) + Histogram.of(np.array(b) / 1e6)
    whole = Histogram.of(np.array(a + b) / 1e6)
    assert added.counts.tolist() == whole.counts.tolist()
    assert added.max_us == whole.max_us


@given(st.lists(st.integers(1, HIGHEST_US), max_size=50))
def test_a_histogram_comes_through_the_network_as_it_was(us: list[int]) -> None:
    mine = Histogram.of(np.array(us) / 1e6)
    sent = pickle.dumps(mine)
    come = pickle.loads(sent)  # noqa: S301 - its own
    assert (come.counts.tolist(), come.max_us) == (mine.counts.tolist(), mine.max_us)
    assert len(sent) < 2000


def test_p999_is_withheld_below_ten_thousand() -> None:
    few, enough = np.full(MIN_FOR_P999 - 1, 0.01), np.full(MIN_FOR_P999, 0.01)
    assert Histogram.of(few).figures_ms()["p99_9"] is None
    assert Histogram.of(enough).figures_ms()["p99_9"] == pytest.approx(10, rel=1e-3)
    assert 99.9 not in dict(Histogram.of(few).curve_ms())
    assert 99.9 in dict(Histogram.of(enough).curve_ms())


def test_no_values_have_no_figures() -> None:
    empty = Histogram.of(np.array([]))
    assert set(empty.figures_ms().values()) == {None}
    assert empty.curve_ms() == []
