"""The same history told otherwise: on other dates with the same calendar, and with another market after a moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from barsmith.bars.minutes import Minutes, as_datetime, as_minutes
from barsmith.bars.sessions import EPOCH, Sessions

DAY = 1440
#: Daylight saving has had one rule in these years, and every library knows it; later ones it has only in some.
SAME_RULE = range(2007, 2038)
#: Year shifts after which a year may begin on the same weekday; 28 always does, between 1901 and 2099.
NUMBERS = 2_520  # of sessions, a multiple of every number up to ten
YEARS = (-11, 11, -6, 6, -5, 5, -17, 17, -22, 22, 28)


@dataclass(frozen=True)
class Shift:
    """Other dates for the same bars. days: a whole number of weeks. numbers: by how much every session's number grows."""

    days: int = 0
    numbers: int = 0

    def sessions(self, table: Sessions) -> Sessions:
        """The table on the other dates, behind as many sessions of long ago as its numbers grow by."""
        early = int(table.opens[0]) - 2 * DAY * np.arange(self.numbers, 0, -1, dtype=np.int64)
        days = early // DAY
        opens, closes, trade_date = (
            np.concatenate([before, column])
            for before, column in ((early, table.opens), (early + DAY, table.closes), (days, table.trade_date))
        )
        covers = (table.covers[0] + self.days * DAY, table.covers[1] + self.days * DAY)
        return Sessions(table.calendar, table.hours, opens + self.days * DAY, closes + self.days * DAY, trade_date + self.days, covers)

    def raw(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(datetime=as_datetime(as_minutes(frame["datetime"]) + self.days * DAY))

    def minutes(self, times: Sequence[int]) -> tuple[int, ...]:
        return tuple(time + self.days * DAY for time in times)


def same_calendar(first: int, last: int) -> Shift:
    """A shift after which every minute from `first` to `last` has the month, day, weekday and clock rule that it had.

    Whoever computes from bars alone, hours and weekdays included, gets the same bits; whoever looks something up by date does not.
    """
    days = [EPOCH + timedelta(day) for day in range(first // DAY - 1, last // DAY + 2)]
    for years in YEARS:
        moved = [_years_later(day, years) for day in days]
        shifts = {(there - here).days for here, there in zip(days, moved, strict=True) if there is not None}
        fits = None not in moved and len(shifts) == 1 and next(iter(shifts)) % 7 == 0
        if fits and (years == 28 or all(day.year in SAME_RULE for day in moved if day)):
            return Shift(next(iter(shifts)), numbers=NUMBERS)
    return Shift(10_227, numbers=NUMBERS)  # 28 years


def _years_later(day: date, years: int) -> date | None:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return None


def another_market_after(minutes: Minutes, row: int, seed: int = 7) -> Minutes:
    """The same minutes up to `row`; from there on the same times, contracts and factors, but wilder prices and other volumes."""
    random = np.random.default_rng(seed)
    tail = minutes.bars[row:]
    if not len(tail):
        return minutes
    before = minutes.bars[row - 1, 3] if row else tail[0, 0]
    moves = np.clip(np.diff(np.log(np.concatenate([[before], tail[:, 3]]))), -0.01, 0.01)
    close = before * 1.02 * np.exp(np.clip(np.cumsum(-2.0 * random.permutation(moves)), -1.0, 1.0))
    open_ = np.concatenate([[before], close[:-1]])
    reach = np.abs(random.normal(scale=1e-3, size=(2, len(tail))))
    bars = minutes.bars.copy()
    bars[row:] = np.column_stack(
        [
            open_,
            np.maximum(open_, close) * (1 + reach[0]),
            np.minimum(open_, close) * (1 - reach[1]),
            close,
            random.permutation(tail[:, 4]) * 2.0 + 1.0,
        ]
    )
    return dataclasses.replace(minutes, bars=bars)
