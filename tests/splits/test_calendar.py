"""The split calendar against the golden counts and its own arithmetic."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.errors import DataError, UsageError
from barsmith.splits.calendar import draw_calendar, draw_calendar_by_date, split_rows

SMALL = {"purge_bars": 2, "embargo_bars": 3}


def test_35388_rows_give_the_golden_calendar():
    """Source: golden.json, split_calendar."""
    calendar = draw_calendar(35_388)
    assert (calendar.train, calendar.val, calendar.test) == (range(24_711), range(26_211, 30_019), range(31_519, 35_388))
    assert calendar.counts() == {"train": 24_711, "val": 3_808, "test": 3_869}
    assert calendar.as_dict()["val"] == [26_211, 30_019]


def test_a_hundred_rows_by_hand():
    calendar = draw_calendar(100, **SMALL)
    assert (calendar.train, calendar.val, calendar.test) == (range(68), range(73, 83), range(88, 100))


def test_shares_are_decimal_so_that_29_percent_of_100_rows_is_29():
    calendar = draw_calendar(100, train_pct=0.29, val_pct=0.29, test_pct=0.42, purge_bars=0, embargo_bars=0)
    assert calendar.counts() == {"train": 29, "val": 29, "test": 42}


def test_an_empty_split_shows_the_arithmetic_and_the_rows_that_would_do():
    with pytest.raises(DataError) as caught:
        draw_calendar(9_000)
    error = caught.value
    assert error.code == "splits/empty"
    assert error.expected == "rows left in train [0, 6300 - 60), val [6300 + 1440, 7650 - 60) and test [7650 + 1440, 9000)"
    assert error.came == "none in val and test of 9000 base bars"
    assert error.do == (
        "bring at least 10004 base bars, or lower what eats up the rows: embargo_bars + purge_bars = 1500 in val, embargo_bars = 1440 in test"
    )
    assert min(draw_calendar(10_004).counts().values()) > 0
    with pytest.raises(DataError):
        draw_calendar(10_003)


def test_an_embargo_of_ten_million_rows_is_answered_at_once():
    with pytest.raises(DataError, match="bring at least 66667071 base bars"):
        draw_calendar(35_388, embargo_bars=10_000_000)
    assert draw_calendar(66_667_071, embargo_bars=10_000_000).counts()["val"] == 1


@pytest.mark.parametrize(
    "wrong", [{"train_pct": 0.8}, {"test_pct": 0.0}, {"train_pct": 1.15, "val_pct": -0.3}, {"purge_bars": -1}, {"embargo_bars": -1}]
)
def test_shares_that_do_not_make_a_whole_and_negative_gaps_are_refused(wrong):
    with pytest.raises(UsageError) as caught:
        draw_calendar(50_000, **wrong)
    assert caught.value.code == "splits/settings"


DAYS = np.repeat(np.arange("2025-09-01", "2025-09-11", dtype="datetime64[D]"), 10)
"""Ten trade dates of ten bars."""


def test_days_are_the_boundaries_and_purge_and_embargo_are_taken_off():
    calendar = draw_calendar_by_date(DAYS, date(2025, 9, 6), date(2025, 9, 9), **SMALL)
    assert (calendar.train, calendar.val, calendar.test) == (range(48), range(53, 78), range(83, 100))
    assert calendar.as_dict()["purge_bars"] == 2


def test_days_at_the_shares_give_the_calendar_of_the_shares():
    shares = {"train_pct": 0.5, "val_pct": 0.3, "test_pct": 0.2}
    assert draw_calendar_by_date(DAYS, date(2025, 9, 6), date(2025, 9, 9), **SMALL) == draw_calendar(100, **shares, **SMALL)


def test_a_day_without_trade_is_the_next_that_has_some():
    weekend = DAYS[(np.datetime64("2025-09-06") != DAYS) & (np.datetime64("2025-09-07") != DAYS)]
    assert draw_calendar_by_date(weekend, date(2025, 9, 6), date(2025, 9, 10), **SMALL).train == range(48)


@pytest.mark.parametrize(("val", "test"), [("2025-09-01", "2025-09-05"), ("2024-01-01", "2025-09-05"), ("2025-09-05", "2025-09-11")])
def test_days_outside_the_data_are_refused(val, test):
    with pytest.raises(DataError, match=f"of 2025-09-01 to 2025-09-10, came {val} and {test}") as caught:
        draw_calendar_by_date(DAYS, date.fromisoformat(val), date.fromisoformat(test), **SMALL)
    assert caught.value.code == "splits/dates"


def test_days_that_leave_a_split_empty_or_stand_in_the_wrong_order_are_refused():
    with pytest.raises(DataError) as caught:
        draw_calendar_by_date(DAYS, date(2025, 9, 6), date(2025, 9, 10), purge_bars=2, embargo_bars=10)
    assert caught.value.code == "splits/empty"
    assert caught.value.expected == "rows left in train [0, 50 - 2), val [50 + 10, 90 - 2) and test [90 + 10, 100)"
    assert (
        caught.value.do
        == "move val_start (2025-09-06) or test_start (2025-09-10), or lower what eats up the rows: embargo_bars = 10 in test"
    )
    with pytest.raises(UsageError):
        draw_calendar_by_date(DAYS, date(2025, 9, 6), date(2025, 9, 6), **SMALL)


@given(n=st.integers(0, 500), purge=st.integers(0, 20), embargo=st.integers(0, 40), train=st.integers(1, 98))
def test_splits_are_in_order_and_keep_their_distance(n, purge, embargo, train):
    shares = {"train_pct": train / 100, "val_pct": 0.01, "test_pct": (99 - train) / 100}
    try:
        calendar = draw_calendar(n, **shares, purge_bars=purge, embargo_bars=embargo)
    except DataError as error:
        needed = int(re.search(r"at least (\d+)", error.do)[1])
        assert needed > n
        assert min(draw_calendar(needed, **shares, purge_bars=purge, embargo_bars=embargo).counts().values()) == 1
        return
    assert calendar.train.start == 0
    assert calendar.val.start - calendar.train.stop == purge + embargo
    assert calendar.test.start - calendar.val.stop == purge + embargo
    assert calendar.test.stop == n


def test_a_label_that_outlives_purge_and_embargo_is_purged_by_its_end():
    # 100 rows decided at 1, 2, ...; rows 60 and 61 wait until the moments of rows 72 and 73, the first of val
    decision = np.arange(1, 101)
    label_end = decision + 1
    label_end[60], label_end[61], label_end[80] = 73, 74, 89
    rows = split_rows(draw_calendar(100, **SMALL), decision, label_end)
    assert [row for row in range(68) if row not in rows["train"]] == [61], "row 60 is known at 73, before val's first decision at 74"
    assert [row for row in range(73, 83) if row not in rows["val"]] == [80]
    assert rows["test"].tolist() == list(range(88, 100))


def test_labels_so_long_that_nothing_is_left_are_an_error():
    decision = np.arange(100)
    with pytest.raises(DataError, match="none of 68"):
        split_rows(draw_calendar(100, **SMALL), decision, decision + 1000)
