"""The calendar's rows without those whose labels reach into the next split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_minutes
from barsmith.config import SplitSettings
from barsmith.errors import DataError
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.final_labels import FinalLabels
from barsmith.pipeline.stages.sessions import SessionBars
from barsmith.splits.calendar import NAMES, split_rows


@dataclass(frozen=True)
class SplitRows:
    """split: the calendar and, for each split, its rows as runs [first, one past the last], with how many were purged by label end."""

    split: dict[str, Any]

    def of(self, name: str) -> np.ndarray:
        """Row numbers of a split."""
        return np.concatenate([np.arange(*run) for run in self.split["kept"][name]])

    def between(self) -> np.ndarray:
        """Row numbers before the test split that are in no split."""
        open_rows = np.arange(self.split["test"][0])
        return np.setdiff1d(open_rows, np.concatenate([self.of("train"), self.of("val")]), assume_unique=True)

    @property
    def rows(self) -> int:
        return sum(run[1] - run[0] for name in NAMES for run in self.split["kept"][name])


@stage
def splits(sessions: SessionBars, final_labels: FinalLabels, calendar: Calendar, settings: SplitSettings) -> SplitRows:
    """Train, validation and test rows, purged by the latest label end of any horizon. Raises DataError `splits/empty`."""
    drawn = calendar.drawn()
    decision = sessions.bars["decision"]
    ends = final_labels.table.select(pl.col("^label_end_h[0-9]+$").fill_null(decision))
    rows = split_rows(drawn, as_minutes(decision), as_minutes(ends.max_horizontal()))
    refuse_short_test(len(drawn.test), final_labels.barriers, settings)
    purged = {name: len(getattr(drawn, name)) - len(rows[name]) for name in NAMES}
    return SplitRows({**calendar.split, "kept": {name: runs(rows[name]) for name in NAMES}, "purged_by_label_end": purged})


def refuse_short_test(rows: int, barriers: Mapping[str, Mapping[str, Any]], settings: SplitSettings) -> None:
    """The last bars of the file have no future: a test split that is no longer than a label looks ahead has no label at all."""
    horizon, longest = max(((h, one["max_bars"]) for h, one in barriers.items()), key=lambda pair: pair[1])
    if rows > longest:
        return
    do = f"bring {longest + 1 - rows} more base bars after test_start" if settings.test_start is not None else (
        f"bring at least {floor((longest + settings.embargo_bars) / Decimal(str(settings.test_pct))) + 1} base bars"
    )  # fmt: skip
    raise DataError(
        "splits/empty",
        expected=f"more than {longest} base bars in test: labels of horizon {horizon} look {longest} bars ahead",
        came=f"{rows} after an embargo of {settings.embargo_bars}",
        do=f"{do}, or lower splits.embargo_bars = {settings.embargo_bars}, label_horizons or labels.max_bars",
    )


def runs(rows: np.ndarray) -> list[list[int]]:
    """Ascending row numbers as runs [first, one past the last].

    >>> runs(np.array([0, 1, 2, 5, 6]))
    [[0, 3], [5, 7]]
    """
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    return [[int(part[0]), int(part[-1]) + 1] for part in np.split(rows, cuts) if len(part)]
