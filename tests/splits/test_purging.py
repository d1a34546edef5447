"""Purging by label end, against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.errors import DataError, UsageError
from barsmith.splits.purging import inner_split, overlaps, purged


def test_purging_removes_the_rows_whose_label_ends_inside_the_test_fold():
    #                     row   0  1  2  3  4  5  6  7  8  9
    label_end = np.array([1, 2, 5, 4, 6, 7, 8, 9, 9, 9])
    kept = purged(np.arange(5), np.arange(10), label_end, 5, 9)
    assert kept.tolist() == [0, 1, 3]  # 2 ends at 5 and 4 ends at 6: both would know the test fold


def test_a_shared_moment_is_an_overlap_on_either_side():
    decision, label_end = np.array([1, 5, 9, 10]), np.array([4, 6, 12, 12])
    assert overlaps(decision, label_end, 4, 9).tolist() == [True, True, True, False]


@given(
    spans=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 15)), min_size=1, max_size=40),
    start=st.integers(0, 50),
    length=st.integers(0, 20),
)
def test_purging_equals_the_brute_force_over_shared_moments(spans, start, length):
    decision = np.array([begin for begin, _ in spans])
    label_end = decision + np.array([span for _, span in spans])
    test = set(range(start, start + length + 1))
    expected = [row for row, (begin, span) in enumerate(spans) if not test & set(range(begin, begin + span + 1))]
    assert purged(np.arange(len(spans)), decision, label_end, start, start + length).tolist() == expected


def test_the_inner_split_keeps_the_last_share_for_stopping_and_purges_before_it():
    decision = np.arange(100)
    label_end = decision + 1
    label_end[3] = 80
    fit, stop = inner_split(np.arange(100), decision, label_end, share=0.2, purge_bars=5)
    assert stop.tolist() == list(range(80, 100))
    assert fit.tolist() == [0, 1, 2, *range(4, 75)], "row 3 is known at 80 only, the moment of the first stopping row"


def test_the_inner_split_counts_the_rows_it_is_given():
    rows = np.array([2, 4, 6, 8, 10, 12, 14, 16])
    fit, stop = inner_split(rows, np.arange(20), np.arange(20), share=0.25, purge_bars=1)
    assert (fit.tolist(), stop.tolist()) == ([2, 4, 6, 8, 10], [14, 16])


def test_too_few_rows_for_early_stopping_say_how_many_are_needed():
    times = np.arange(60)
    with pytest.raises(DataError, match="bring more than 72 labelled training rows, or train for a shorter horizon") as caught:
        inner_split(times, times, times, share=0.15, purge_bars=60)
    assert caught.value.code == "splits/empty"
    fit, stop = inner_split(np.arange(73), np.arange(73), np.arange(73), share=0.15, purge_bars=60)
    assert len(fit) >= 1
    assert len(stop) >= 1


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_that_leaves_one_side_empty_is_refused(share):
    with pytest.raises(UsageError):
        inner_split(np.arange(10), np.arange(10), np.arange(10), share=share, purge_bars=0)
