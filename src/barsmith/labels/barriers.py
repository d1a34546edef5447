"""Triple-barrier labels: which barrier the minutes after a decision touch first, for every bar and horizon in one scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from barsmith.compiled import njit
from barsmith.labels.outcomes import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    Barriers,
    Labels,
    bad_setting,
    check_any,
    check_barriers,
    check_prices,
    window_inputs,
)
from barsmith.parallel import cores

if TYPE_CHECKING:
    from barsmith.bars.ladder import Rung
    from barsmith.bars.minutes import Minutes

ROWS_A_THREAD = 10_000


def wilder_atr(rung: Rung, n: int = 14) -> np.ndarray:
    """(m,) average true range of a rung's bars in price units, NaN for the first n. Source: Wilder (1978), as TA-Lib computes it."""
    if len(rung.bars) <= n:
        return np.full(len(rung.bars), np.nan)
    import talib

    high, low, close = (np.ascontiguousarray(rung.bars[:, i]) for i in (HIGH, LOW, CLOSE))
    return talib.ATR(high, low, close, timeperiod=n)


def triple_barrier(
    minutes: Minutes,
    base: Rung,
    scale: np.ndarray,
    *,
    barriers: Mapping[int, Barriers],
    closes: np.ndarray | None = None,
    side: np.ndarray | None = None,
) -> dict[int, Labels]:
    """Which barrier the price touches first after each base bar, for each horizon.

    minutes: one-minute bars in the contract's own prices. base: the unadjusted base rung built from them, finished bars only.
    scale: (m,) price units, the ATR or another unit of the barriers that is known at each bar's close.
    barriers: {horizon: distances in that unit, and patience in base bars}; `default_barriers` has the same ones for all.
    closes: (m,) minutes since 1970, each base bar's session's close: a trade is closed there. None: it is held across the break.
    side: (m,) int8, the side of the trade: for -1 the profit lies below, so that k_up is the lower barrier's distance and k_down
    the upper one's; a row of 0 is not asked for a label. None: +1 everywhere.

    The entry is the open of the first minute of bar t+1. Minutes are walked until one reaches a barrier (equality counts):
    upper first +1, lower first -1, both in one minute 0 and counted as a tie, none by the end of bar t + max_bars 0.
    `label_end` is the close of the deciding minute, at a timeout the end of bar t + max_bars, or the close of the session before.
    A row has no label when it has no scale, when one of its window's bars is missing or belongs to another contract than bar t,
    whatever was touched before.

    Returns {horizon: Labels}. Raises UsageError `labels/settings`, DataError `labels/adjusted` when base bars and minutes have other prices,
    `labels/no-future` when no row of a horizon has a label.
    Source: Lopez de Prado (2018), sections 3.2 and 3.6; ties, rolls and sessions as in DESIGN.md and docs/labels.md.
    """
    if not barriers:
        raise bad_setting("at least one horizon", "none", "label_horizons")
    for horizon, one in barriers.items():
        check_barriers(one, horizon)
    check_prices(minutes, base)
    order = sorted(barriers, key=lambda horizon: astuple(barriers[horizon]))
    pairs = [(barriers[horizon].k_up, barriers[horizon].k_down) for horizon in order]
    starts = [i for i, pair in enumerate(pairs) if i == 0 or pair != pairs[i - 1]]
    sides = np.ones(len(base), np.int8) if side is None else np.asarray(side, np.int8)
    arrays = _outputs(len(order), len(base))
    inputs = (
        minutes.time,
        minutes.bars,
        np.asarray(base.first, np.int64),
        np.asarray(base.last, np.int64),
        *window_inputs(base, closes),
        *(np.ascontiguousarray(base.bars[:, i]) for i in (HIGH, LOW, CLOSE)),
        np.where(sides == 0, np.nan, np.asarray(scale, np.float64)),
        sides,
        np.array(pairs)[starts],
        np.array([*starts, len(order)], np.int64),
        np.array([barriers[horizon].max_bars for horizon in order], np.int64),
    )
    _in_parts(len(base), lambda start, stop: _scan(start, stop, *inputs, *arrays))
    found = {}
    for horizon, one in barriers.items():
        row = order.index(horizon)
        check_any(arrays[1][row], horizon, one.max_bars, sampled=side is not None)
        found[horizon] = Labels(*(array[row] for array in arrays), **vars(one))
    return found


def _outputs(horizons: int, m: int) -> tuple[np.ndarray, ...]:
    """label, has_label, label_end, log_return, mae, mfe, tie: (horizons, m)."""
    kinds = (np.int8, np.bool_, np.int64, np.float64, np.float64, np.float64, np.bool_)
    return tuple(np.empty((horizons, m), kind) for kind in kinds)


def _in_parts(rows: int, work: Callable[[int, int], None]) -> None:
    """The rows in as many stretches as there are cores, side by side: no row needs another."""
    parts = max(1, min(cores(), rows // ROWS_A_THREAD))
    bounds = [rows * part // parts for part in range(parts + 1)]
    if parts == 1:
        return work(0, rows)
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))
    return None


@njit(nogil=True)
def _scan(  # type: ignore[no-untyped-def]
    start,
    stop,
    time,
    minute,
    first,
    last,
    contract,
    final,
    end,
    closes,
    high,
    low,
    close,
    scale,
    side,
    k,
    starts,
    patience,
    label,
    has_label,
    label_end,
    log_return,
    mae,
    mfe,
    tie,
):
    """Fill rows start to stop of the (horizons, m) outputs.

    Horizons with the same barriers stand together, the patient last, and share one walk: over whole bars until one touches, then over its
    minutes. What a row reads more than once is read into a variable: it is half the time.
    """
    m = len(end)
    for t in range(start, stop):
        size, mine, break_ = scale[t], contract[t], final[min(t + 1, m - 1)]
        unit = 1.0 / size if size > 0.0 else 0.0
        for p in range(len(k)):
            h, usable = starts[p], starts[p]
            while size >= 0.0 and t + 1 < m and usable < starts[p + 1]:
                until = min(t + patience[usable], break_)
                if until >= m or contract[until] != mine:
                    break
                usable += 1
            for g in range(usable, starts[p + 1]):
                label[g, t], has_label[g, t], tie[g, t], label_end[g, t] = 0, False, False, end[t]
                log_return[g, t], mfe[g, t], mae[g, t] = np.nan, np.nan, np.nan
            if h == usable:
                continue
            entry = minute[first[t + 1], OPEN]
            up, down = (k[p, 0], k[p, 1]) if side[t] > 0 else (k[p, 1], k[p, 0])
            upper, lower = entry + up * size, entry - down * size
            j, top, bottom = t + 1, entry, entry
            while h < usable:
                until = min(t + patience[h], break_)
                while j <= until and high[j] < upper and low[j] > lower:
                    top = high[j] if high[j] > top else top
                    bottom = low[j] if low[j] < bottom else bottom
                    j += 1
                if j <= until:
                    break
                label[h, t], has_label[h, t], tie[h, t] = 0, True, False
                label_end[h, t] = end[until] if until == t + patience[h] else closes[until]
                log_return[h, t] = np.log(close[until] / entry)
                mfe[h, t], mae[h, t] = (top - entry) * unit, (entry - bottom) * unit
                h += 1
            if h == usable:
                continue
            i, final_minute = first[j], last[j]
            while True:
                above, below = minute[i, HIGH] >= upper, minute[i, LOW] <= lower
                top = minute[i, HIGH] if minute[i, HIGH] > top else top
                bottom = minute[i, LOW] if minute[i, LOW] < bottom else bottom
                if above or below or i == final_minute:
                    break
                i += 1
            rise, fall = (top - entry) * unit, (entry - bottom) * unit
            favourable, adverse = (rise, fall) if above else (fall, rise)
            outcome = np.log((minute[i, CLOSE] if above and below else upper if above else lower) / entry)
            for g in range(h, usable):
                label[g, t], has_label[g, t], tie[g, t], label_end[g, t] = above - below, True, above and below, time[i] + 1
                log_return[g, t], mfe[g, t], mae[g, t] = outcome, favourable, adverse
