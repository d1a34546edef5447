"""The split calendar: which base bars are train, validation and test, drawn before anything learns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import floor

import numpy as np

from barsmith.errors import DataError, UsageError
from barsmith.splits.purging import purged

NAMES = ("train", "val", "test")


@dataclass(frozen=True)
class SplitCalendar:
    """Rows of the three splits in the order of time, counted over every base bar of the chosen session before any row is dropped."""

    train: range
    val: range
    test: range
    n: int
    purge_bars: int
    embargo_bars: int

    def counts(self) -> dict[str, int]:
        return {name: len(getattr(self, name)) for name in NAMES}

    def empty(self) -> list[str]:
        """The splits without a row."""
        return [name for name, rows in self.counts().items() if not rows]

    def as_dict(self) -> dict[str, object]:
        """For split_config.json: rows as [first, one past the last]."""
        rows = {name: [getattr(self, name).start, getattr(self, name).stop] for name in NAMES}
        return {"rows": self.n, **rows, "counts": self.counts(), "purge_bars": self.purge_bars, "embargo_bars": self.embargo_bars}


def draw_calendar(
    n: int,
    *,
    train_pct: float = 0.70,
    val_pct: float = 0.15,
    test_pct: float = 0.15,
    purge_bars: int = 60,
    embargo_bars: int = 1440,
) -> SplitCalendar:
    """Train, validation and test in time, a purge before each boundary and an embargo after it.

    n: base bars of the chosen session. purge_bars, embargo_bars: rows.
    With a = floor(train_pct n) and b = floor((train_pct + val_pct) n): train [0, a - purge), val [a + embargo, b - purge), test [b + embargo, n).

    >>> draw_calendar(35_388).counts()
    {'train': 24711, 'val': 3808, 'test': 3869}

    Raises UsageError `splits/settings`, DataError `splits/empty` when a split has no row.
    """
    shares: list[Decimal] = [Decimal(str(share)) for share in (train_pct, val_pct, test_pct)]
    if any(share <= 0 for share in shares) or abs(sum(shares, Decimal(0)) - 1) > Decimal("1e-9"):
        raise UsageError(
            "splits/settings",
            expected="train_pct, val_pct and test_pct above 0 that add up to 1",
            came=" + ".join(map(str, shares)) + f" = {sum(shares)}",
            do="correct train_pct, val_pct and test_pct",
        )
    calendar = _drawn(n, *_boundaries(n, shares), purge_bars, embargo_bars)
    if calendar.empty():
        raise _no_rows(calendar, *_boundaries(n, shares), f"bring at least {_needed(calendar, shares)} base bars")
    return calendar


def draw_calendar_by_date(
    trade_date: np.ndarray, val_start: date, test_start: date, *, purge_bars: int = 60, embargo_bars: int = 1440
) -> SplitCalendar:
    """The same with the boundaries a and b at the first base bar of these trade dates, or of the next ones there are.

    trade_date: (n,) datetime64[D] of every base bar, never decreasing. purge_bars, embargo_bars: rows, taken off as with shares.
    Raises UsageError `splits/settings`, DataError `splits/dates` for days outside the data, `splits/empty` when a split has no row.
    """
    n, days = len(trade_date), np.array([val_start, test_start], "datetime64[D]")
    if days[0] >= days[1]:
        came = f"{val_start} and {test_start}"
        raise UsageError("splits/settings", expected="val_start before test_start", came=came, do="correct the two")
    if not n or days[0] <= trade_date[0] or days[1] > trade_date[-1]:
        there = f"{trade_date[0]} to {trade_date[-1]}" if n else "no bars"
        raise DataError(
            "splits/dates",
            expected=f"val_start after the first trade date and test_start not after the last, of {there}",
            came=f"{val_start} and {test_start}",
            do="correct splits.val_start and splits.test_start, or bring a longer file",
        )
    a, b = np.searchsorted(trade_date, days).tolist()
    calendar = _drawn(n, a, b, purge_bars, embargo_bars)
    if calendar.empty():
        raise _no_rows(calendar, a, b, f"move val_start ({val_start}) or test_start ({test_start})")
    return calendar


def _boundaries(n: int, shares: list[Decimal]) -> tuple[int, int]:
    """By exact decimal arithmetic: 0.29 of 100 rows is 29, not 28."""
    return floor(shares[0] * n), floor((shares[0] + shares[1]) * n)


def _drawn(n: int, a: int, b: int, purge: int, embargo: int) -> SplitCalendar:
    if purge < 0 or embargo < 0:
        raise UsageError(
            "splits/settings",
            expected="purge_bars and embargo_bars of 0 or more",
            came=f"{purge} and {embargo}",
            do="correct purge_bars and embargo_bars",
        )
    train, val, test = (range(start, max(start, stop)) for start, stop in ((0, a - purge), (a + embargo, b - purge), (b + embargo, n)))
    return SplitCalendar(train, val, test, n, purge, embargo)


def _needed(calendar: SplitCalendar, shares: list[Decimal]) -> int:
    """The fewest base bars that leave no split empty."""
    purge, embargo = calendar.purge_bars, calendar.embargo_bars
    least = (purge / shares[0], (purge + embargo) / shares[1], embargo / shares[2])  # rows below which a split is surely empty
    needed = max(calendar.n, *map(floor, least))
    while _drawn(needed, *_boundaries(needed, shares), purge, embargo).empty():
        needed += 1
    return needed


def _no_rows(calendar: SplitCalendar, a: int, b: int, do: str) -> DataError:
    n, purge, embargo, empty = calendar.n, calendar.purge_bars, calendar.embargo_bars, calendar.empty()
    eats = {
        "train": f"purge_bars = {purge}",
        "val": f"embargo_bars + purge_bars = {embargo + purge}",
        "test": f"embargo_bars = {embargo}",
    }
    return DataError(
        "splits/empty",
        expected=f"rows left in train [0, {a} - {purge}), val [{a} + {embargo}, {b} - {purge}) and test [{b} + {embargo}, {n})",
        came=f"none in {' and '.join(empty)} of {n} base bars",
        do=f"{do}, or lower what eats up the rows: " + ", ".join(f"{eats[name]} in {name}" for name in empty),
    )


def split_rows(calendar: SplitCalendar, decision: np.ndarray, label_end: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of each split, without those whose label ends inside the next one.

    decision, label_end: (n,) int64 minutes over every base bar; with several horizons the latest label_end of each row.
    The fixed purge of the calendar is a floor: a label that spans more than purge_bars + embargo_bars is purged here.
    Returns {"train", "val", "test"}: row numbers. Raises DataError `splits/empty`.
    """
    out: dict[str, np.ndarray] = {}
    for name, later in zip(NAMES, (("val", "test"), ("test",), ()), strict=True):
        rows = np.arange(getattr(calendar, name).start, getattr(calendar, name).stop)
        for other in later:
            block = getattr(calendar, other)
            rows = purged(rows, decision, label_end, int(decision[block.start]), int(label_end[block.start : block.stop].max()))
        if not len(rows):
            raise DataError(
                "splits/empty",
                expected=f"rows of {name} whose labels end before the next split begins",
                came=f"none of {len(getattr(calendar, name))}",
                do="bring a longer file, or lower labels.max_bars and the label horizons",
            )
        out[name] = rows
    return out
