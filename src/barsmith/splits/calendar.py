"""The split calendar: which base bars are train, validation and test, drawn before anything learns."""

from __future__ import annotations

from dataclasses import dataclass
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
    if purge_bars < 0 or embargo_bars < 0:
        raise UsageError(
            "splits/settings",
            expected="purge_bars and embargo_bars of 0 or more",
            came=f"{purge_bars} and {embargo_bars}",
            do="correct purge_bars and embargo_bars",
        )
    calendar = _drawn(n, shares, purge_bars, embargo_bars)
    empty = [name for name in NAMES if not len(getattr(calendar, name))]
    if empty:
        raise _too_short(calendar, shares, empty)
    return calendar


def _drawn(n: int, shares: list[Decimal], purge: int, embargo: int) -> SplitCalendar:
    """Bounds by exact decimal arithmetic: 0.29 of 100 rows is 29, not 28."""
    a, b = floor(shares[0] * n), floor((shares[0] + shares[1]) * n)
    train, val, test = (range(start, max(start, stop)) for start, stop in ((0, a - purge), (a + embargo, b - purge), (b + embargo, n)))
    return SplitCalendar(train, val, test, n, purge, embargo)


def _too_short(calendar: SplitCalendar, shares: list[Decimal], empty: list[str]) -> DataError:
    n, purge, embargo = calendar.n, calendar.purge_bars, calendar.embargo_bars
    a, b = floor(shares[0] * n), floor((shares[0] + shares[1]) * n)
    least = (purge / shares[0], (purge + embargo) / shares[1], embargo / shares[2])  # rows below which a split is surely empty
    needed = max(n, *map(floor, least))
    while not all(_drawn(needed, shares, purge, embargo).counts().values()):
        needed += 1
    eats = {
        "train": f"purge_bars = {purge}",
        "val": f"embargo_bars + purge_bars = {embargo + purge}",
        "test": f"embargo_bars = {embargo}",
    }
    return DataError(
        "splits/empty",
        expected=f"rows left in train [0, {a} - {purge}), val [{a} + {embargo}, {b} - {purge}) and test [{b} + {embargo}, {n})",
        came=f"none in {' and '.join(empty)} of {n} base bars",
        do=f"bring at least {needed} base bars, or lower what eats up the rows: " + ", ".join(f"{eats[name]} in {name}" for name in empty),
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
