"""When each barrier distance is first reached, worked out once, so that other barriers make other labels by a look-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from barsmith.compiled import njit
from barsmith.labels.outcomes import CLOSE, HIGH, LOW, OPEN, Barriers, Window

if TYPE_CHECKING:
    from barsmith.bars.ladder import Rung
    from barsmith.bars.minutes import Minutes

NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True, eq=False)
class FirstPassage:
    """For n decisions and L distances the minute that first reaches them.

    rows: (n,) base bars t. levels: (L,) distances in ATR, ascending. up, down: (L, n) int32 index of the minute, NEVER where none within reach.
    entry, unit: (n,) the open of the minute after t and the ATR of t, price units. reach: (n,) the last base bar looked at.
    """

    rows: np.ndarray
    levels: np.ndarray
    up: np.ndarray
    down: np.ndarray
    entry: np.ndarray
    unit: np.ndarray
    reach: np.ndarray
    minutes: Minutes
    base: Rung

    def outcomes(self, barriers: Barriers) -> Outcomes:
        """What `triple_barrier` says of these rows. Distances are among `levels`, and the patience is no longer than the table's."""
        label, exit_bar = np.empty(len(self.rows), np.int8), np.empty(len(self.rows), np.int64)
        log_return = np.empty(len(self.rows))
        _look_up(
            self.rows,
            self.up[self._level(barriers.k_up)],
            self.down[self._level(barriers.k_down)],
            self.entry,
            self.unit,
            barriers.k_up,
            barriers.k_down,
            np.minimum(self.rows + barriers.max_bars, self.reach),
            self.minutes.bars,
            self.base.bars,
            np.asarray(self.base.last, np.int64),
            label,
            exit_bar,
            log_return,
        )
        return Outcomes(label, exit_bar, log_return)

    def _level(self, k: float) -> int:
        return int(np.flatnonzero(self.levels == k)[0])


@dataclass(frozen=True, eq=False)
class Outcomes:
    """(n,) label int8 -1 0 +1, exit_bar int64 the base bar in which the outcome is known, log_return float64."""

    label: np.ndarray
    exit_bar: np.ndarray
    log_return: np.ndarray


def first_passage(minutes: Minutes, base: Rung, atr: np.ndarray, rows: np.ndarray, levels: np.ndarray, over: Window) -> FirstPassage:
    """The table of these rows. minutes, base, atr: as `triple_barrier` reads them. over: the longest windows that will be asked for.

    rows: (n,) base bars that have an ATR and a whole window. levels: (L,) ascending, in ATR.
    """
    shape = (len(levels), len(rows))
    up, down = np.full(shape, NEVER, np.int32), np.full(shape, NEVER, np.int32)
    first, last = np.asarray(base.first, np.int64), np.asarray(base.last, np.int64)
    rows = np.asarray(rows, np.int64)
    entry, unit, reach = minutes.bars[first[rows + 1], OPEN], np.asarray(atr, np.float64)[rows], over.last[rows]
    _walk(rows, minutes.bars, first, last, base.bars, entry, unit, np.asarray(levels, np.float64), reach, up, down)
    return FirstPassage(rows, levels, up, down, entry, unit, reach, minutes, base)


@njit
def _walk(rows, minute, first, last, bar, entry, unit, levels, reach, up, down):  # type: ignore[no-untyped-def]
    """Bars that reach no new level are skipped whole."""
    for r in range(len(rows)):
        u, d = 0, 0
        for j in range(rows[r] + 1, reach[r] + 1):
            above = u < len(levels) and bar[j, HIGH] >= entry[r] + levels[u] * unit[r]
            below = d < len(levels) and bar[j, LOW] <= entry[r] - levels[d] * unit[r]
            if not (above or below):
                continue
            for i in range(first[j], last[j] + 1):
                while u < len(levels) and minute[i, HIGH] >= entry[r] + levels[u] * unit[r]:
                    up[u, r] = i
                    u += 1
                while d < len(levels) and minute[i, LOW] <= entry[r] - levels[d] * unit[r]:
                    down[d, r] = i
                    d += 1


@njit
def _look_up(rows, up, down, entry, unit, k_up, k_down, until, minute, bar, last, label, exit_bar, log_return):  # type: ignore[no-untyped-def]
    for r in range(len(rows)):
        end = until[r]
        touched = min(up[r], down[r])
        if touched > last[end]:
            label[r], exit_bar[r], log_return[r] = 0, end, np.log(bar[end, CLOSE] / entry[r])
            continue
        label[r] = (up[r] <= down[r]) - 1 * (down[r] <= up[r])
        j = rows[r] + 1
        while last[j] < touched:
            j += 1
        exit_bar[r] = j
        at = minute[touched, CLOSE] if up[r] == down[r] else entry[r] + k_up * unit[r] if up[r] < down[r] else entry[r] - k_down * unit[r]
        log_return[r] = np.log(at / entry[r])
