"""Triple-barrier labels: which barrier the minutes after a decision touch first, for every bar and horizon in one scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from barsmith.compiled import njit
from barsmith.errors import DataError, UsageError

if TYPE_CHECKING:
    from barsmith.bars.ladder import Rung
    from barsmith.bars.minutes import Minutes

HIGH, LOW, CLOSE = 1, 2, 3


@dataclass(frozen=True, eq=False)
class Labels:
    """What followed each of m base bars, for one horizon. Arrays are (m,); where `has_label` is false they say nothing.

    label: int8 -1 short, 0 neutral, +1 long. has_label: bool.
    label_end: int64 minutes since 1970, when the outcome was known; a row without a label carries its own decision time.
    log_return: float64, from the entry to the barrier's price, at a tie or timeout to the last close.
    mfe, mae: float64, furthest move for and against the label's side, in ATR, from the entry through the deciding minute;
        a neutral row is measured as a long trade. Both are 0 where the ATR is.
    tie: bool, one minute touched both barriers.
    k_up, k_down: distances of the barriers in ATR. max_bars: patience in base bars.
    """

    label: np.ndarray
    has_label: np.ndarray
    label_end: np.ndarray
    log_return: np.ndarray
    mae: np.ndarray
    mfe: np.ndarray
    tie: np.ndarray
    k_up: float
    k_down: float
    max_bars: int

    def __len__(self) -> int:
        return len(self.label)

    def counts(self) -> dict[str, int]:
        """Rows short, neutral, long, of which ties, and unlabelled."""
        known = self.label[self.has_label]
        of = {name: int((known == value).sum()) for name, value in (("short", -1), ("neutral", 0), ("long", 1))}
        return {**of, "ties": int(self.tie.sum()), "unlabelled": int((~self.has_label).sum())}


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
    atr: np.ndarray,
    *,
    horizons: Sequence[int],
    k_up: float,
    k_down: float,
    max_bars: int | Mapping[int, int] | None = None,
) -> dict[int, Labels]:
    """Which barrier the price touches first after each base bar, for each horizon.

    minutes: one-minute bars in the contract's own prices. base: the unadjusted base rung built from them, finished bars only.
    atr: (m,) price units, known at each bar's close. k_up, k_down: barrier distances in ATR.
    max_bars: patience in base bars; the horizon itself where nothing is given, one number for all, or one for each horizon.

    The entry is the open of the first minute of bar t+1. Minutes are walked until one reaches a barrier (equality counts):
    upper first +1, lower first -1, both in one minute 0 and counted as a tie, none by the end of bar t + max_bars 0.
    `label_end` is the close of the deciding minute, at a timeout the end of bar t + max_bars. A row has no label when it has no ATR,
    when one of the bars t+1..t+max_bars is missing or belongs to another contract than bar t, whatever was touched before.

    Returns {horizon: Labels}. Raises UsageError `labels/settings`, DataError `labels/adjusted` when base bars and minutes have other prices,
    `labels/no-future` when no row of a horizon has a label.
    Source: Lopez de Prado (2018), section 3.2; ties and rolls as in DESIGN.md.
    """
    patience = _patience(horizons, max_bars)
    for name, value in (("k_up", k_up), ("k_down", k_down)):
        if not (np.isfinite(value) and value > 0):
            raise _bad_setting(f"{name} above 0", str(value), name)
    ascending = sorted(patience, key=lambda horizon: patience[horizon])
    m, shape = len(base.end), (len(ascending), len(base.end))
    if not np.array_equal(base.bars[:, CLOSE], minutes.bars[base.last, CLOSE]):
        raise DataError(
            "labels/adjusted",
            expected="base bars in the contract's own prices, as the minutes are",
            came="bars whose closes are not those of their last minutes",
            do="build them by ladder(minutes, ..., adjusted=False)",
        )
    label, has_label, tie, label_end = (np.empty(shape, kind) for kind in (np.int8, np.bool_, np.bool_, np.int64))
    log_return, mae, mfe = (np.empty(shape) for _ in range(3))
    _scan(
        minutes.time,
        minutes.bars,
        np.asarray(base.first, np.int64),
        np.asarray(base.last, np.int64),
        np.asarray(base.end, np.int64),
        base.bars,
        np.asarray(base.contract, np.int64),
        np.asarray(atr, np.float64),
        float(k_up),
        float(k_down),
        np.array([patience[horizon] for horizon in ascending], np.int64),
        label,
        has_label,
        label_end,
        log_return,
        mae,
        mfe,
        tie,
    )
    for row, horizon in enumerate(ascending):
        if not has_label[row].any():
            raise DataError(
                "labels/no-future",
                expected=f"bars that are followed by {patience[horizon]} finished bars of their own contract, with an ATR known",
                came=f"{m} base bars, none of them so",
                do="bring a longer file, or ask for shorter label_horizons (or labels.max_bars)",
                where=f"horizon {horizon}",
            )
    return {
        horizon: Labels(
            label[row], has_label[row], label_end[row], log_return[row], mae[row], mfe[row], tie[row], k_up, k_down, patience[horizon]
        )
        for row, horizon in sorted(enumerate(ascending), key=lambda pair: pair[1])
    }


def _patience(horizons: Sequence[int], max_bars: int | Mapping[int, int] | None) -> dict[int, int]:
    """{horizon: bars to wait}."""
    if not horizons:
        raise _bad_setting("at least one horizon", "none", "label_horizons")
    if max_bars is None:
        patience = {horizon: horizon for horizon in horizons}
    elif isinstance(max_bars, int):
        patience = dict.fromkeys(horizons, max_bars)
    else:
        patience = {horizon: max_bars.get(horizon, horizon) for horizon in horizons}
    for horizon, bars in patience.items():
        if horizon < 1 or bars < 1:
            raise _bad_setting("whole bars, 1 or more", f"{bars} for horizon {horizon}", "label_horizons and labels.max_bars")
    return patience


def _bad_setting(expected: str, came: str, setting: str) -> UsageError:
    return UsageError("labels/settings", expected=expected, came=came, do=f"correct {setting}")


@njit
def _scan(  # type: ignore[no-untyped-def]
    time, minute, first, last, end, bar, contract, atr, k_up, k_down, patience, label, has_label, label_end, log_return, mae, mfe, tie
):
    """Fill the (horizons, m) outputs. `patience` ascends, so that one walk serves all horizons; whole bars are skipped until one touches."""
    n = len(end)
    for t in range(n):
        usable = 0
        while atr[t] >= 0.0 and usable < len(patience) and t + patience[usable] < n and contract[t + patience[usable]] == contract[t]:
            usable += 1
        for g in range(usable, len(patience)):
            label[g, t], has_label[g, t], tie[g, t], label_end[g, t] = 0, False, False, end[t]
            log_return[g, t], mfe[g, t], mae[g, t] = np.nan, np.nan, np.nan
        if usable == 0:
            continue
        entry = minute[first[t + 1], 0]
        upper, lower = entry + k_up * atr[t], entry - k_down * atr[t]
        unit = 1.0 / atr[t] if atr[t] > 0.0 else 0.0
        top, bottom, h = entry, entry, 0
        for j in range(t + 1, t + patience[usable - 1] + 1):
            if bar[j, HIGH] >= upper or bar[j, LOW] <= lower:
                i = first[j]
                while True:
                    top, bottom = max(top, minute[i, HIGH]), min(bottom, minute[i, LOW])
                    up, down = minute[i, HIGH] >= upper, minute[i, LOW] <= lower
                    if up or down or i == last[j]:
                        break
                    i += 1
                side = up - down
                outcome = np.log((minute[i, CLOSE] if up and down else upper if up else lower) / entry)
                rise, fall = (top - entry) * unit, (entry - bottom) * unit
                for g in range(h, usable):
                    label[g, t], has_label[g, t], tie[g, t], label_end[g, t] = side, True, up and down, time[i] + 1
                    log_return[g, t] = outcome
                    mfe[g, t], mae[g, t] = (rise, fall) if side >= 0 else (fall, rise)
                break
            top, bottom = max(top, bar[j, HIGH]), min(bottom, bar[j, LOW])
            while h < usable and j == t + patience[h]:
                label[h, t], has_label[h, t], tie[h, t], label_end[h, t] = 0, True, False, end[j]
                log_return[h, t] = np.log(bar[j, CLOSE] / entry)
                mfe[h, t], mae[h, t] = (top - entry) * unit, (entry - bottom) * unit
                h += 1
