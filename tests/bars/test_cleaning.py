"""Cleaning: what is dropped, what is counted, and that nothing later is read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barsmith.bars.cleaning import clean
from barsmith.bars.minutes import as_datetime, minute_of
from barsmith.bars.sessions import load_sessions

EQUITY = load_sessions("equity_index")
MONDAY = minute_of(datetime(2025, 6, 9, 20, 50, tzinfo=UTC))  # ten minutes before the break


def raw(times: list[int]) -> pl.DataFrame:
    price = 100.0 + np.arange(len(times))
    return pl.DataFrame({"datetime": as_datetime(np.array(times))} | dict.fromkeys(("open", "high", "low", "close", "volume"), price))


def test_minutes_of_the_break_are_dropped_and_counted() -> None:
    minutes, counts = clean(raw([MONDAY + i for i in range(0, 80, 2)]), EQUITY)
    assert minutes.time.tolist() == [MONDAY + i for i in range(0, 10, 2)] + [MONDAY + i for i in range(70, 80, 2)]
    assert counts == {
        "rows": 40, "out_of_session": 30, "thin": 0, "outliers": 0, "outliers_dropped": 0, "minutes": 10, "filled": 0, "sessions": 2, "empty_sessions": 0,
        "dropped_sessions": 0, "missing_minutes": 8, "rolls": 0, "guessed_rolls": 0, "first_outliers": [], "doubtful_days": ["2025-06-09"],
    }  # fmt: skip


def test_a_whole_missing_session_is_a_gap_and_a_holiday_is_not() -> None:
    two_days_later = minute_of(datetime(2025, 6, 11, 20, tzinfo=UTC))
    assert clean(raw([MONDAY, two_days_later]), EQUITY)[1]["empty_sessions"] == 1
    christmas_eve, after = (minute_of(datetime(2025, 12, day, 15, tzinfo=UTC)) for day in (24, 26))
    assert clean(raw([christmas_eve, after]), EQUITY)[1]["empty_sessions"] == 0


def test_cleaning_the_first_bars_gives_the_first_clean_minutes() -> None:
    bars, rolls = raw(list(range(MONDAY - 300, MONDAY + 300))), [MONDAY - 7, MONDAY + 100]
    whole = clean(bars, EQUITY, rolls=rolls)[0]
    for n in (1, 293, 294, 310, 371, 480, 600):
        part = clean(bars[:n], EQUITY, rolls=rolls)[0]
        assert np.array_equal(part.adjusted(), whole.adjusted()[: len(part)])


def test_only_later_minutes_are_added_to_a_history() -> None:
    bars = raw(list(range(MONDAY - 300, MONDAY)))
    first, _ = clean(bars[:200], EQUITY, rolls=[MONDAY - 150])
    both, counts = clean(bars[100:], EQUITY, rolls=[MONDAY - 150], after=first)
    assert np.array_equal(both.adjusted(), clean(bars, EQUITY, rolls=[MONDAY - 150])[0].adjusted())
    assert counts["rolls"] == 0  # it was in the history
    _, counts = clean(bars[100:], EQUITY, rolls=[MONDAY - 50], after=first)
    assert (counts["rolls"], counts["guessed_rolls"]) == (1, 1)


def test_bars_that_all_lie_outside_give_no_minutes() -> None:
    minutes, counts = clean(raw([MONDAY + 20, MONDAY + 30]), EQUITY)
    assert len(minutes) == 0
    assert (counts["out_of_session"], counts["sessions"]) == (2, 0)
    assert len(clean(raw([MONDAY + 20]), load_sessions("always"))[0]) == 1


@pytest.mark.real
@pytest.mark.parametrize(
    ("symbol", "group", "facts"),
    [("MES", "equity_index", (298061, 92, 221, 36, 347)), ("MGC", "metals", (351285, 0, 257, 0, 1900))],
    ids=["MES", "MGC"],
)
def test_the_counts_of_the_real_bars_are_those_of_their_provenance(real_data: Path, symbol: str, group: str, facts: tuple) -> None:
    _, counts = clean(pl.read_parquet(real_data / f"{symbol}_1m.parquet"), load_sessions(group))
    names = ("rows", "out_of_session", "sessions", "empty_sessions", "missing_minutes")
    assert tuple(counts[name] for name in names) == facts
    assert counts["doubtful_days"] == []
