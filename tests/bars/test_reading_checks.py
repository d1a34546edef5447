"""What is refused and what is warned of in a history as a whole, with and without sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hand_bars import minute_bars
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.bars.quality import Quality, Warned
from barsmith.bars.reading import Rules, read_raw, validate_frame
from barsmith.bars.row_checks import ROW_CHECKS, Bounds, all_good, bad_rows
from barsmith.bars.sessions import load_sessions
from barsmith.errors import DataError

BARS = minute_bars(120)
EQUITY = load_sessions("equity_index")


def warning(frame: pl.DataFrame, code: str, **keywords: object) -> Warned | None:
    found = [w for w in validate_frame(frame, Rules("MES", **keywords, history=False)).quality.warnings if w.code == code]  # type: ignore[arg-type]
    return found[0] if found else None


def set_price(frame: pl.DataFrame, rows: range | list[int], value: float | pl.Expr, columns: tuple[str, ...]) -> pl.DataFrame:
    inside = pl.int_range(pl.len()).is_in(list(rows))
    return frame.with_columns(pl.when(inside).then(value).otherwise(name).alias(name) for name in columns)


def sessions(*days: tuple[int, int], shift: int = 0) -> pl.DataFrame:
    """Bars of whole sessions 17:00 to 16:00 Chicago that end on these days of summer 2025."""
    parts = [minute_bars(1380, datetime(2025, m, d, 22, 0, tzinfo=UTC) - timedelta(days=1) + timedelta(minutes=shift)) for m, d in days]
    return pl.concat(parts)


def test_clean_bars_raise_no_warning() -> None:
    assert validate_frame(BARS, Rules("MES", tick_size=0.25)).quality.warnings == []


def test_five_minute_bars_are_refused() -> None:
    with pytest.raises(DataError, match="bars 5 minutes apart in 39 of 39 cases") as error:
        validate_frame(minute_bars(40, step=5), Rules("MES", history=False))
    assert error.value.code == "bars/wrong-interval"


def test_prices_that_never_move_are_refused_in_a_history() -> None:
    flat = set_price(BARS, range(120), 6000.0, ("open", "high", "low", "close"))
    with pytest.raises(DataError) as error:
        validate_frame(flat, Rules("MES"))
    assert error.value.code == "bars/constant"
    assert validate_frame(flat, Rules("MES", history=False)).frame.height == 120


def test_missing_minutes_are_counted_and_breaks_are_not() -> None:
    holes = BARS.filter(~pl.int_range(pl.len()).is_in([10, 11, 50]))
    found = warning(holes, "bars/gap")
    assert found is not None
    assert (found.count, found.first) == (3, ("2025-06-12 14:10 UTC", "2025-06-12 14:50 UTC"))
    assert warning(BARS.filter(~pl.int_range(pl.len()).is_between(10, 90)), "bars/gap") is None


def test_zero_volume_is_counted_and_told_where_it_is_everywhere() -> None:
    some = warning(set_price(BARS, [3, 4], 0.0, ("volume",)), "bars/zero-volume")
    every = warning(set_price(BARS, range(120), 0.0, ("volume",)), "bars/zero-volume")
    assert some is not None
    assert every is not None
    assert (some.count, some.note) == (2, "bars without volume")
    assert (every.count, "no bar has any volume" in every.note) == (120, True)


def test_thirty_bars_that_do_not_differ_are_a_frozen_feed_and_twenty_nine_are_not() -> None:
    for bars, expected in ((30, 30), (29, 0)):
        frozen = BARS
        for name in ("open", "high", "low", "close", "volume"):
            frozen = set_price(frozen, range(20, 20 + bars), float(BARS[name][20]), (name,))
        quality = validate_frame(frozen, Rules("MES", history=False)).quality
        assert quality.warned("bars/stale-feed") == expected
        assert quality.stale == ([("2025-06-12T14:20Z", "2025-06-12T14:49Z")] if expected else [])


@pytest.mark.parametrize("factor", [10.0, 0.01])
def test_a_decimal_sign_that_moves_is_told_where_it_goes_and_where_it_returns(factor: float) -> None:
    prices = ("open", "high", "low", "close")
    moved = BARS
    for name in prices:
        moved = set_price(moved, range(20, 30), pl.col(name) * factor, (name,))
    found = warning(moved, "bars/scale-break")
    assert found is not None
    assert (found.count, found.first) == (2, ("2025-06-12 14:20 UTC", "2025-06-12 14:30 UTC"))
    one = warning(set_price(BARS, [7], 60_000.0, ("high",)), "bars/scale-break")
    assert one is not None
    assert one.count == 1


def test_a_bar_that_leaves_by_ten_per_cent_and_is_back_is_a_spike() -> None:
    found = warning(set_price(BARS, [7], 7000.0, ("high",)), "bars/spike")
    assert found is not None
    assert found.first == ("2025-06-12 14:07 UTC",)
    assert warning(set_price(BARS, [7], 6100.0, ("high",)), "bars/spike") is None


def test_prices_off_the_tick_are_counted() -> None:
    found = warning(set_price(BARS, [7, 8], 6000.1, ("low",)), "bars/off-tick", tick_size=0.25)
    assert found is not None
    assert found.count == 2
    silver = BARS.with_columns((pl.col(name) / 50).alias(name) for name in ("open", "high", "low", "close"))
    assert warning(silver, "bars/off-tick", tick_size=0.005) is None


def test_whole_sessions_fit_the_calendar() -> None:
    assert validate_frame(sessions((6, 10), (6, 11), (6, 12)), Rules("MES", sessions=EQUITY, history=False)).quality.warnings == []


def test_gaps_are_counted_within_sessions_only() -> None:
    bars = sessions((6, 10), (6, 11)).filter(~pl.int_range(pl.len()).is_between(1370, 1389))  # the last ten and the first ten
    assert warning(bars, "bars/gap", sessions=EQUITY) is None
    found = warning(sessions((6, 10)).filter(pl.int_range(pl.len()) != 700), "bars/gap", sessions=EQUITY)
    assert found is not None
    assert (found.count, found.first) == (1, ("2025-06-10 09:40 UTC",))


def test_bars_outside_the_session_are_counted_and_kept() -> None:
    stray = minute_bars(3, datetime(2025, 6, 14, 15, 0, tzinfo=UTC))  # a Saturday
    raw = validate_frame(pl.concat([sessions((6, 13)), stray]), Rules("MES", sessions=EQUITY, history=False))
    assert raw.quality.warned("bars/out-of-session") == 3
    assert raw.frame.height == 1383


def test_a_missing_session_and_a_closed_day_with_bars_are_told() -> None:
    found = warning(sessions((6, 10), (6, 12)), "bars/calendar", sessions=EQUITY)
    assert found is not None
    assert found.first == ("2025-06-10 22:00 UTC",)
    saturday = minute_bars(100, datetime(2025, 6, 14, 15, 0, tzinfo=UTC))
    found = warning(pl.concat([sessions((6, 13)), saturday]), "bars/calendar", sessions=EQUITY)
    assert found is not None
    assert (found.count, found.first) == (1, ("2025-06-14 15:00 UTC",))


@pytest.mark.parametrize(("shift", "look"), [(1, "look like closes"), (-1, "look like opens already")])
def test_stamps_of_the_other_convention_are_suspected(shift: int, look: str) -> None:
    found = warning(sessions((6, 10), (6, 11), (6, 12), shift=shift), "bars/stamp-convention", sessions=EQUITY)
    assert found is not None
    assert look in found.note
    assert found.count == 3


NUMBERS = st.sampled_from([float("nan"), float("inf"), -1.0, 0.0, 5e-324, 1e-9, 99.0, 100.0, 101.0, 1e9, 1e13])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.integers(98, 102)), min_size=1, max_size=4))
def test_the_fast_answer_is_that_of_the_checks_one_by_one(bars: list[tuple[float, ...]]) -> None:
    columns = [np.array(column, float) for column in zip(*bars, strict=True)]
    rows = dict(zip(("open", "high", "low", "close", "volume", "time"), columns, strict=True))
    bounds = Bounds(1e-9, 1e9, 100)
    slow = [check.finds(rows, bounds) for check in ROW_CHECKS if check.code != "bars/roll-ratio"]
    assert all_good(rows, bounds) == (not np.any(slow))
    assert (bad_rows(rows, bounds) > 0).tolist() == np.any(slow, axis=0).tolist()


def test_the_record_of_nothing_is_empty() -> None:
    assert Quality().warned("bars/gap") == 0


@pytest.mark.real
@pytest.mark.parametrize(
    ("symbol", "calendar", "missing", "outside", "days"), [("MES", "equity_index", 347, 92, 36), ("MGC", "metals", 1900, 0, 0)]
)
def test_the_real_bars_have_the_gaps_that_were_counted_by_others(
    real_data: Path, symbol: str, calendar: str, missing: int, outside: int, days: int
) -> None:
    raw = read_raw(
        real_data / f"{symbol}_1m.parquet", Rules(symbol, sessions=load_sessions(calendar), tick_size=0.25 if symbol == "MES" else 0.1)
    )
    quality = raw.quality
    assert quality.warned("bars/gap") == missing
    assert quality.warned("bars/out-of-session") == outside
    assert quality.warned("bars/calendar") == days
    assert quality.warned("bars/off-tick") == quality.warned("bars/stale-feed") == quality.warned("bars/stamp-convention") == 0


@pytest.mark.real
def test_the_real_close_stamps_read_as_opens_are_suspected(real_data: Path) -> None:
    raw = read_raw(real_data / "MES_raw_sample.csv", Rules("MES", timezone="UTC", sessions=EQUITY))
    assert raw.quality.warned("bars/stamp-convention") == 3  # the fourth session is cut


def days(shift: int, count: int = 8) -> pl.DataFrame:
    """Whole sessions of eight trading days in a row, moved by so many minutes."""
    return sessions(*[(7, day) for day in (8, 9, 10, 11, 15, 16, 17, 18)][:count], shift=shift)


@pytest.mark.parametrize("shift", [60, -60, 300, -360])
def test_a_file_on_another_clock_trades_through_the_breaks_and_stands_still_elsewhere(shift: int) -> None:
    """Found by a review: minutes of Chicago read as New York's were ready for training."""
    found = warning(days(shift), "bars/zone", sessions=EQUITY)
    assert found is not None
    assert found.count >= 5
    assert "zone" in found.note


def test_the_market_s_own_clock_bars_in_the_breaks_alone_and_empty_fillers_are_no_other_zone() -> None:
    assert warning(days(0), "bars/zone", sessions=EQUITY) is None
    through = minute_bars(12 * 1440, datetime(2025, 7, 7, 22, 0, tzinfo=UTC))  # eight daily breaks and two weekends
    assert warning(through, "bars/zone", sessions=EQUITY) is None  # never stands still
    fillers = days(60).with_columns(volume=pl.when(pl.col("datetime").dt.hour() == 21).then(0.0).otherwise(pl.col("volume")))
    assert warning(fillers, "bars/zone", sessions=EQUITY) is None


def test_too_few_breaks_show_no_zone() -> None:
    assert warning(days(60, count=3), "bars/zone", sessions=EQUITY) is None
