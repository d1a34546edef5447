"""The spread of a feature's values, against numbers that can be counted by hand."""

from __future__ import annotations

import numpy as np

from barsmith.features.distribution import Distribution, Histogram, bar

NAN = float("nan")


def test_the_numbers_of_a_hundred_and_one_values():
    told = Distribution.of(np.arange(101.0)).as_dict()
    assert told == {
        "count": 101, "missing": 0, "mean": 50.0, "deviation": np.sqrt(850.0),
        "min": 0.0, "1%": 1.0, "25%": 25.0, "50%": 50.0, "75%": 75.0, "99%": 99.0, "max": 100.0,
    }  # fmt: skip


def test_what_is_no_number_is_missing_and_counts_nowhere_else():
    told = Distribution.of(np.array([NAN, 1.0, np.inf, 3.0, -np.inf]))
    assert (told.count, told.missing, told.mean, told.min, told.max) == (2, 3, 2.0, 1.0, 3.0)


def test_values_too_large_for_a_mean_have_none():
    told = Distribution.of(np.array([1e308, 1e308, 1e308]))
    assert (told.mean, told.deviation, told.max) == (None, None, 1e308)


def test_nothing_has_no_numbers():
    told = Distribution.of(np.array([NAN, NAN]))
    assert (told.count, told.missing, told.mean, told.quantiles["50%"]) == (0, 2, None, None)
    assert Histogram.of(np.array([NAN])) is None
    assert Histogram.of(np.array([])) is None


def test_few_distinct_values_get_a_bar_each():
    told = Histogram.of(np.array([-1.0, 0.0, 0.0, 1.0, NAN]))
    assert told.rows() == [("-1", 1), ("0", 2), ("1", 1)]
    assert told.drawn(4) == ["-1  ██    1", " 0  ████  2", " 1  ██    1"]


def test_one_wild_value_does_not_squeeze_the_others_into_one_bin():
    values = np.append(np.arange(1000.0), 1e9)
    told = Histogram.of(values)
    assert (told.below, told.above) == (10, 10)  # 0..9, and 991..999 with the wild one
    assert sum(told.counts) + told.below + told.above == len(values)
    assert max(told.counts) < 70
    assert told.edges[0] == 10.0
    assert told.edges[-1] < 1000.0


def test_a_column_that_is_almost_constant_still_has_bins():
    values = np.append(np.zeros(10_000), np.arange(1.0, 21.0))
    told = Histogram.of(values)
    assert sum(told.counts) == len(values)
    assert told.counts[0] == 10_001


def test_a_bar_is_seen_as_soon_as_there_is_anything():
    assert bar(0.0, 4) == "    "
    assert bar(1e-9, 4) == "▏   "
    assert bar(1.0, 4) == "████"
