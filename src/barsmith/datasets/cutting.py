"""Rows become windows: the cuts of sequences and of several resolutions, and the rows that they leave out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from barsmith.config import DatasetSettings
from barsmith.config_reading import settings_from
from barsmith.datasets.families import Reads
from barsmith.datasets.matrix import FeatureMatrix
from barsmith.datasets.parts import Part
from barsmith.datasets.rungs import RungBars, RungWindows, check_known, is_too_early, last_finished
from barsmith.datasets.views import View
from barsmith.datasets.windows import Windows, window_faults
from barsmith.errors import DataError, UsageError
from barsmith.features.past import PRICES, Window

if TYPE_CHECKING:
    import polars as pl

#: Bars of these timeframes that end by a moment (minutes since 1970 UTC).
RungReader = Callable[[tuple[str, ...], int], RungBars]


@dataclass(frozen=True, eq=False)
class Source:
    """What windows are cut from. names: of the matrix's columns. without_gaps: its tables together hold every base bar."""

    names: tuple[str, ...]
    matrix: FeatureMatrix
    without_gaps: bool
    read_test: Callable[[], pl.DataFrame] | None
    read_rungs: RungReader | None

    def followed_by(self, test: pl.DataFrame, where: str) -> Source:
        """With the rows of the opened test split."""
        later = FeatureMatrix.of({where: test}, self.names, without_gaps=True)
        matrix = self.matrix.followed_by(later, without_gaps=self.without_gaps)
        return Source(self.names, matrix, self.without_gaps, self.read_test, self.read_rungs)


class Cut(ABC):
    """How a family's windows are cut. axis: names of the last axis where they are not the matrix's columns."""

    axis: tuple[str, ...] = ()

    @property
    @abstractmethod
    def window(self) -> Window:
        """What a model is handed, for whoever serves it."""

    @abstractmethod
    def windows(self, part: Part, source: Source) -> tuple[View, dict[str, np.ndarray]]:
        """The windows of a part's rows, and which of them cannot be used: {reason: (N,) bool}, each under one reason."""


@dataclass(frozen=True)
class SequenceCut(Cut):
    """The last `length` rows of the matrix."""

    length: int
    within_session: bool

    @property
    def window(self) -> Window:
        return Window("sequence", self.length, self.within_session)

    def windows(self, part: Part, source: Source) -> tuple[View, dict[str, np.ndarray]]:
        last = source.matrix.places(part.datetime)
        faults = window_faults(source.matrix, last, self.length, within_session=self.within_session)
        return Windows(source.matrix, last, self.length), faults


@dataclass(frozen=True)
class RungCut(Cut):
    """The last `length` finished bars of each timeframe."""

    length: int
    timeframes: tuple[str, ...]
    axis = PRICES

    @property
    def window(self) -> Window:
        return Window("multires", self.length, timeframes=self.timeframes)

    def windows(self, part: Part, source: Source) -> tuple[View, dict[str, np.ndarray]]:
        if source.read_rungs is None:
            do = "use from_run, or give from_parquet the folder of the rungs"
            raise UsageError("datasets/no-rungs", expected="bars of several timeframes", came="none", do=do)
        bars = source.read_rungs(self.timeframes, int(part.decision[-1]))
        check_known(bars, int(part.decision[-1]))
        last = last_finished(bars, part.decision)
        return RungWindows(bars, last, self.length), {"rungs_too_early": is_too_early(bars, last, self.length)}


def dataset_settings(**values: Any) -> DatasetSettings:
    """Checked settings of the section `datasets`. Raises UsageError `config/...`."""
    return settings_from(datasets=values).datasets


def cut_of(reads: Reads, settings: DatasetSettings) -> Cut:
    """The cut of a family that reads windows."""
    if reads == "sequence":
        return SequenceCut(settings.sequence_length, settings.within_session)
    return RungCut(settings.multires_length, settings.multires_timeframes)


def check_length(cut: Cut, rows: int) -> None:
    """Raises DataError `config/inconsistent` for sequences longer than the smallest opened split. rows: of it."""
    if isinstance(cut, SequenceCut) and cut.length > rows:
        raise DataError(
            "config/inconsistent",
            expected="windows no longer than the smallest split",
            came=f"a length of {cut.length} and {rows} rows",
            do="shorten the windows (datasets.sequence_length), or bring a longer file",
        )


def seen(part: Part, cut: Cut, source: Source, where: str) -> tuple[Part, dict[str, int]]:
    """A part's rows with their windows as X, and how many were left out for which reason. Raises DataError `datasets/empty`."""
    view, faults = cut.windows(part, source)
    counts = {reason: int(rows.sum()) for reason, rows in faults.items()}
    left = np.flatnonzero(~np.logical_or.reduce(list(faults.values())))
    if not len(left):
        raise DataError(
            "datasets/empty",
            expected="rows with a window of settled bars",
            came=f"{len(part)} rows, of them " + ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in counts.items()),
            do="shorten the windows, or bring a longer file",
            where=where,
        )
    return part.with_view(view.take(left), left), counts
