"""Several resolutions at once: the last T finished bars of each rung as of every decision, gathered by index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from barsmith.bars.ladder import Rung, ladder
from barsmith.compiled import njit
from barsmith.config import MULTIRES_TIMEFRAMES
from barsmith.datasets.views import View, whole_windows
from barsmith.errors import DataError
from barsmith.features.past import PRICES

if TYPE_CHECKING:
    from barsmith.bars.minutes import Minutes
    from barsmith.bars.sessions import Sessions


@dataclass(frozen=True, eq=False)
class RungBars:
    """Finished bars of the rungs, one below the other.

    prices: (M, 4) float64 open high low close, adjusted forward for rolls. end: (M,) int64 minutes since 1970 UTC.
    first: {timeframe: row of its first bar}, from the shortest rung to the longest, each rung's bars in the order of time.
    """

    prices: np.ndarray
    end: np.ndarray
    first: Mapping[str, int]

    @classmethod
    def of(cls, rungs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> RungBars:
        """From {timeframe: ((m, 4) prices, (m,) ends)}."""
        starts = np.cumsum([0, *(len(end) for _, end in rungs.values())]).tolist()
        prices = np.concatenate([prices for prices, _ in rungs.values()])
        return cls(
            np.ascontiguousarray(prices, np.float64),
            np.concatenate([end for _, end in rungs.values()]),
            dict(zip(rungs, starts, strict=False)),
        )

    @classmethod
    def of_minutes(cls, minutes: Minutes, sessions: Sessions, until: int, timeframes: tuple[str, ...] = MULTIRES_TIMEFRAMES) -> RungBars:
        """The bars that end by `until` (minutes since 1970 UTC), as features read them; no later minute is looked at."""
        known = minutes[: int(np.searchsorted(minutes.time, until))]
        return cls.of_ladder(ladder(known, sessions, timeframes, now=until))

    @classmethod
    def of_ladder(cls, rungs: Mapping[str, Rung]) -> RungBars:
        """From bars of each timeframe, of adjusted prices."""
        return cls.of({name: (rung.bars[:, : len(PRICES)], rung.end) for name, rung in rungs.items()})

    def of_rung(self, timeframe: str) -> slice:
        """The rows of a rung."""
        starts = [*self.first.values(), len(self.end)]
        number = list(self.first).index(timeframe)
        return slice(starts[number], starts[number + 1])


@dataclass(frozen=True, eq=False)
class RungWindows(View):
    """(N, R, T, 4) float32: of each rung the open, high, low and close of its last T finished bars, oldest first, as price / last close - 1.

    last: (N, R) int64, the row of each rung's last finished bar in `bars`. The last close is that of the rung's own window.
    """

    bars: RungBars
    last: np.ndarray
    length: int

    @property
    def timeframes(self) -> tuple[str, ...]:
        return tuple(self.bars.first)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.last), self.last.shape[1], self.length, len(PRICES))

    def take(self, rows: Any) -> RungWindows:
        return RungWindows(self.bars, self.last[rows], self.length)

    @classmethod
    def of_prices(cls, prices: np.ndarray, timeframes: Sequence[str]) -> RungWindows:
        """One window, of (R, T, 4) prices."""
        rungs, length = prices.shape[:2]
        bars = RungBars.of({name: (prices[r], np.arange(length)) for r, name in enumerate(timeframes)})
        return cls(bars, (np.arange(1, rungs + 1) * length - 1)[None, :], length)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Divided in float64 and rounded once. Raises IndexError for a window that begins before the first bar."""
        last, out = self.last[rows], np.empty((len(rows), *self.shape[1:]), np.float32)
        if len(last) and not self.length - 1 <= last.min() <= last.max() < len(self.bars.end):  # compiled code would read other memory
            raise IndexError(f"windows of {self.length} bars that end at rows {last.min()} to {last.max()} of {len(self.bars.end)}")
        fill(self.bars.prices, last, out)
        return out

    def is_finite(self) -> np.ndarray:
        return np.asarray(whole_windows(np.isfinite(self.bars.prices).all(axis=1), self.last, self.length).all(axis=1))


@njit
def fill(prices, last, out):  # type: ignore[no-untyped-def]
    """The windows that end at these rows of the bars: price / last close - 1."""
    n, rungs, length, columns = out.shape
    for i in range(n):
        for r in range(rungs):
            close, first = prices[last[i, r], 3], last[i, r] - length + 1
            for t in range(length):
                for k in range(columns):
                    out[i, r, t, k] = prices[first + t, k] / close - 1.0


def last_finished(bars: RungBars, decision: np.ndarray) -> np.ndarray:
    """(N, R) int64: of each rung the row of the last bar that ends by each decision; below the rung's first where there is none."""
    columns = [bars.of_rung(timeframe) for timeframe in bars.first]
    return np.column_stack([rows.start + np.searchsorted(bars.end[rows], decision, "right") - 1 for rows in columns])


def is_too_early(bars: RungBars, last: np.ndarray, length: int) -> np.ndarray:
    """(N,) bool: decisions at which a rung has fewer than `length` finished bars."""
    return np.asarray((last - length + 1 < np.array(list(bars.first.values()))).any(axis=1))


def check_known(bars: RungBars, until: int) -> None:
    """Raise DataError `datasets/rungs` for a bar that ends after `until`: the closed test split may be in it."""
    late = int((bars.end > until).sum())
    if late:
        raise DataError(
            "datasets/rungs",
            expected="bars of the rungs that end by the last decision of the opened splits",
            came=f"{late} that end later",
            do="cut the rungs there: the test split stays closed",
        )
