"""The one matrix of a data set: the scaled features of every base bar, from which rows and windows are taken by index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from barsmith.bars.minutes import as_minutes, moment
from barsmith.errors import DataError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class FeatureMatrix:
    """R base bars in the order of time, those of the splits and those between them.

    X: (R, F) float32 in C order, NaN where a feature has not settled. datetime, session: (R,) int64. is_settled: (R,) bool.
    stretch: (R,) int64, equal for bars between which none is missing: a window never reaches from one stretch into another.
    """

    X: np.ndarray
    datetime: np.ndarray
    session: np.ndarray
    is_settled: np.ndarray
    stretch: np.ndarray

    @classmethod
    def of(cls, tables: Mapping[str, pl.DataFrame], names: Sequence[str], *, without_gaps: bool) -> FeatureMatrix:
        """The rows of tables that share none, in the order of time.

        tables: by the name that errors tell; with datetime, session_id, is_settled and the features. without_gaps: together the tables
        hold every base bar, so that a window may begin in one and end in another; else each is a stretch of its own.
        Raises DataError `datasets/order`, `datasets/infinite`.
        """
        times = [as_minutes(table["datetime"]) for table in tables.values()]
        for name, time in zip(tables, times, strict=True):
            check_order(time, name)
        together = np.concatenate(times)
        order = np.argsort(together, kind="stable")
        check_order(together[order], " and ".join(tables))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        found = cls(
            X=np.empty((len(order), len(names)), np.float32),
            datetime=together[order],
            session=np.empty(len(order), np.int64),
            is_settled=np.empty(len(order), np.bool_),
            stretch=np.zeros(len(order), np.int64),
        )
        first = 0
        for number, (name, table) in enumerate(tables.items()):
            found._fill(place[first : first + len(table)], table, names, 0 if without_gaps else number, name)
            first += len(table)
        return found

    def _fill(self, rows: np.ndarray, table: pl.DataFrame, names: Sequence[str], stretch: int, where: str) -> None:
        """A column at a time, so that no second copy of the table is made."""
        at = slice(rows[0], rows[-1] + 1) if len(rows) and rows[-1] - rows[0] == len(rows) - 1 else rows
        self.session[at] = table["session_id"].to_numpy()
        self.is_settled[at] = settled = table["is_settled"].to_numpy().astype(np.bool_)
        self.stretch[at] = stretch
        for j, name in enumerate(names):
            self.X[at, j] = column = table[name].to_numpy()
            infinite = np.isinf(column) & settled
            if infinite.any():
                first = moment(int(self.datetime[at][int(infinite.argmax())]))
                raise DataError(
                    "datasets/infinite",
                    expected=f"finite values of {name}",
                    came=f"{int(infinite.sum())} infinite ones, the first at {first:%Y-%m-%d %H:%M} UTC",
                    do=f"correct the feature {name}, or drop it",
                    where=where,
                )

    def __len__(self) -> int:
        return len(self.datetime)

    def followed_by(self, later: FeatureMatrix, *, without_gaps: bool) -> FeatureMatrix:
        """These bars and later ones. Raises DataError `datasets/order` where one is not later: a closed split must not be here already."""
        check_order(np.concatenate((self.datetime, later.datetime)), "the test split after the bars before it")
        stretch = later.stretch if without_gaps else later.stretch + 1 + self.stretch.max(initial=0)
        return FeatureMatrix(
            np.concatenate((self.X, later.X)),
            np.concatenate((self.datetime, later.datetime)),
            np.concatenate((self.session, later.session)),
            np.concatenate((self.is_settled, later.is_settled)),
            np.concatenate((self.stretch, stretch)),
        )

    def places(self, datetime: np.ndarray) -> np.ndarray:
        """(N,) row numbers of bars that are here."""
        return np.searchsorted(self.datetime, datetime)

    def rows(self, places: np.ndarray) -> np.ndarray:
        """(N, F) float32 in C order; where the rows follow each other no copy is made."""
        if len(places) and places[-1] - places[0] == len(places) - 1:
            return self.X[places[0] : places[-1] + 1]
        return self.X[places]


def check_order(time: np.ndarray, where: str) -> None:
    """Raises DataError `datasets/order` for bars that are not in the order of time, each once."""
    if (np.diff(time) <= 0).any():
        raise DataError(
            "datasets/order",
            expected="rows in the order of time, each once",
            came=f"{int((np.diff(time) <= 0).sum())} steps back or in place",
            do="run the splits stage again",
            where=where,
        )
