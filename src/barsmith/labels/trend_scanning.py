"""Trend-scanning labels: the direction of the line that fits the coming closes best, over windows of several lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from barsmith.compiled import njit
from barsmith.labels.outcomes import CLOSE, Barriers, Labels, bad_setting, check_any, check_prices, held, held_labels, window

if TYPE_CHECKING:
    from barsmith.bars.ladder import Rung
    from barsmith.bars.minutes import Minutes

EXACT = 1e-20
"""A line that leaves less than this share of the closes' variance fits them exactly: its t-value is infinite."""


def trend_scanning(
    minutes: Minutes,
    base: Rung,
    scale: np.ndarray,
    *,
    max_bars: Mapping[int, int],
    min_bars: int = 3,
    min_t: float = 0.0,
    closes: np.ndarray | None = None,
    is_event: np.ndarray | None = None,
) -> dict[int, Labels]:
    """The sign of the strongest trend that begins at bar t: of the t-value furthest from 0; 0 where that is below min_t.

    minutes, base, closes, is_event: as for `fixed_horizon`. scale: (m,) price units, in which excursions are measured.
    max_bars: {horizon: bars of the longest window}. min_bars: of the shortest one, 2 or more. A row whose session ends sooner has no label.

    Which window wins is known only when the longest is over, so that is `label_end`, and the return runs to its last close: an exit at the
    end of the winner would be chosen by looking ahead. Raises UsageError `labels/settings`, and as `triple_barrier`.
    Source: Lopez de Prado (2020), Machine Learning for Asset Managers, section 5.4.
    """
    check_prices(minutes, base)
    if min_bars < 2 or min(max_bars.values(), default=0) < min_bars:
        came = f"trend_min_bars {min_bars}, windows of at most {', '.join(map(str, max_bars.values()))} bars"
        raise bad_setting("a shortest window of 2 bars or more that is no longer than the longest", came, "labels.trend_min_bars")
    found = {}
    for horizon, longest in max_bars.items():
        whole = window(base, longest, closes)
        fits = whole.last >= np.arange(len(base)) + min_bars
        has_label = fits & (scale >= 0.0) & (True if is_event is None else is_event)
        check_any(has_label, horizon, longest, sampled=is_event is not None)
        last = np.where(has_label, whole.last, -1)
        t_value, _ = trend_values(base.bars[:, CLOSE], last, min_bars)
        label = np.where(np.abs(t_value) >= min_t, np.sign(t_value), 0.0)
        label = np.where(has_label, label, 0.0).astype(np.int8)
        found[horizon] = held_labels(base, scale, whole, held(minutes, base, last), label, has_label, Barriers(1.0, 1.0, longest))
    return found


def trend_values(close: np.ndarray, last: np.ndarray, min_bars: int) -> tuple[np.ndarray, np.ndarray]:
    """(t_value, bars): of the slope of the closes t .. t + bars, for the number of bars from min_bars to last[t] - t whose t-value is
    furthest from 0, the shortest of equals; NaN and 0 where `last` is nearer than min_bars.

    close, last: (m,). A line through closes that are all equal has t-value 0, one that fits others exactly an infinite one.
    """
    t_value, bars = np.full(len(close), np.nan), np.zeros(len(close), np.int64)
    _scan_trends(np.ascontiguousarray(close), np.asarray(last, np.int64), min_bars, t_value, bars)
    return t_value, bars


@njit
def _scan_trends(close, last, min_bars, t_value, bars):  # type: ignore[no-untyped-def]
    """Sums over x = 0, 1, 2, ... and y = close - close[t], which is exact for prices on a grid of binary fractions."""
    for t in range(len(last)):
        sum_y, sum_xy, sum_yy, best = 0.0, 0.0, 0.0, -1.0
        for w in range(1, last[t] - t + 1):
            y = close[t + w] - close[t]
            sum_y, sum_xy, sum_yy = sum_y + y, sum_xy + w * y, sum_yy + y * y
            if w < min_bars:
                continue
            n, mean_x = w + 1.0, 0.5 * w
            xx, xy, yy = n * (n * n - 1.0) / 12.0, sum_xy - mean_x * sum_y, sum_yy - sum_y * sum_y / n
            rest = yy - xy * xy / xx
            if xy == 0.0:
                value = 0.0
            elif rest <= EXACT * yy:
                value = np.inf if xy > 0.0 else -np.inf
            else:
                value = xy / np.sqrt(xx * rest / (n - 2.0))
            if abs(value) > best:
                best, t_value[t], bars[t] = abs(value), value, w
