"""The textbook's formulas, the slow and obvious way: what the catalogue is held against. Nothing here comes from barsmith."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def bars_of(columns: Mapping[str, np.ndarray]) -> SimpleNamespace:
    return SimpleNamespace(**columns)


def lagged(x: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([np.full(min(n, len(x)), np.nan), x[: max(len(x) - n, 0)]])


def change(x: np.ndarray, n: int = 1) -> np.ndarray:
    return x - lagged(x, n)


def over_windows(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, n: int) -> np.ndarray:
    """`function` of each window of n values, oldest first: (k, n) -> (k,)."""
    out = np.full(len(x), np.nan)
    out[n - 1 :] = function(sliding_window_view(x, n))
    return out


def average(x: np.ndarray, n: int) -> np.ndarray:
    return over_windows(lambda w: w.mean(axis=1), x, n)


def deviation(x: np.ndarray, n: int) -> np.ndarray:
    return over_windows(lambda w: w.std(axis=1), x, n)


def highest(x: np.ndarray, n: int) -> np.ndarray:
    return over_windows(lambda w: w.max(axis=1), x, n)


def lowest(x: np.ndarray, n: int) -> np.ndarray:
    return over_windows(lambda w: w.min(axis=1), x, n)


def zscore(x: np.ndarray, n: int) -> np.ndarray:
    return (x - average(x, n)) / deviation(x, n)


def share(above: np.ndarray, below: np.ndarray, n: int, flat: float = 0.0) -> np.ndarray:
    top, bottom = average(above, n), average(below, n)
    return np.where(bottom == 0, flat, top / np.where(bottom == 0, 1, bottom))


def quotient(above: np.ndarray, below: np.ndarray, flat: float) -> np.ndarray:
    return np.where(below == 0, flat, above / np.where(below == 0, 1, below))


def correlation(y: np.ndarray, x: np.ndarray, n: int) -> np.ndarray:
    out = np.full(len(x), np.nan)
    for t in range(n - 1, len(x)):
        out[t] = np.corrcoef(y[t - n + 1 : t + 1], x[t - n + 1 : t + 1])[0, 1]
    return out


def smoothed(x: np.ndarray, n: int, alpha: float) -> np.ndarray:
    """A recursive average that starts with the plain one of its first n values."""
    out = np.full(len(x), np.nan)
    start = int(np.argmax(~np.isnan(x))) + n - 1
    out[start] = x[start - n + 1 : start + 1].mean()
    for t in range(start + 1, len(x)):
        out[t] = out[t - 1] + alpha * (x[t] - out[t - 1])
    return out


def exponential(x: np.ndarray, n: int) -> np.ndarray:
    return smoothed(x, n, 2 / (n + 1))


def wilder(x: np.ndarray, n: int) -> np.ndarray:
    return smoothed(x, n, 1 / n)


def true_range(b: SimpleNamespace) -> np.ndarray:
    before = lagged(b.close, 1)
    return np.maximum(b.high, before) - np.minimum(b.low, before)


def atr(b: SimpleNamespace, n: int = 14) -> np.ndarray:
    return wilder(true_range(b), n)


def log_return(b: SimpleNamespace) -> np.ndarray:
    return np.log(b.close / lagged(b.close, 1))


def position(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return quotient(x - low, high - low, 0.5)


def agree(market, name: str, expected: np.ndarray, tolerance: float = 1e-9) -> None:
    """The feature's column from where it has settled, within `tolerance` of the value or of the column's median size."""
    first = market.first_settled(name)
    found, expected = market.column(name)[first:], expected[first:]
    assert len(found) > 500
    size = np.maximum(np.abs(expected), np.median(np.abs(expected)))
    wrong = ~(np.abs(found - expected) <= tolerance * size)
    assert not wrong.any(), f"{name}: {wrong.sum()} rows, first {first + np.argmax(wrong)}: {found[wrong][0]} for {expected[wrong][0]}"


def usual(x: np.ndarray, session: np.ndarray, minute: np.ndarray) -> np.ndarray:
    """Average of x over the bars of the five sessions before this one that end in the same half-hour since the open."""
    half_hour, out = (minute - 1) // 30, np.full(len(x), np.nan)
    numbers = np.unique(session)
    for i, number in enumerate(numbers):
        before = np.isin(session, numbers[max(i - 5, 0) : i])
        for t in np.flatnonzero(session == number):
            same = before & (half_hour == half_hour[t])
            chosen = same if same.any() else before
            out[t] = x[chosen].mean() if chosen.any() else np.nan
    return out
