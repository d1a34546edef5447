"""Which bars are worth a label: every one, or those at which the price has moved enough since the last (a CUSUM filter)."""

from __future__ import annotations

import numpy as np

from barsmith.compiled import njit

SPAN = 100


def trailing_volatility(log_close: np.ndarray, span: int = SPAN) -> np.ndarray:
    """(m,) root mean square of the bars' log returns up to each bar, exponentially weighted; NaN for the first `span`.

    span: bars, as pandas' ewm(span=...) counts them. Source: Lopez de Prado (2018), snippet 3.1, which takes daily returns.
    """
    out = np.full(len(log_close), np.nan)
    _volatility(np.ascontiguousarray(log_close), 2.0 / (span + 1.0), span, out)
    return out


def cusum_events(log_close: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """(m,) bool: the bars at which the moves up, or those down, since the last such event add up to more than the threshold.

    log_close: (m,) adjusted for rolls, so that a new contract is no move. threshold: (m,) in log price, known at each bar's close; where it
    is NaN nothing is an event and nothing is added up. Sums run on across session breaks: the gap is a move like another.
    Source: Lopez de Prado (2018), snippet 2.4.
    """
    is_event = np.zeros(len(log_close), np.bool_)
    _cusum(np.ascontiguousarray(log_close), np.ascontiguousarray(threshold, np.float64), is_event)
    return is_event


@njit
def _volatility(log_close, weight, span, out):  # type: ignore[no-untyped-def]
    total, squares = 0.0, 0.0
    for t in range(1, len(log_close)):
        change = log_close[t] - log_close[t - 1]
        total, squares = 1.0 + (1.0 - weight) * total, change * change + (1.0 - weight) * squares
        if t >= span:
            out[t] = np.sqrt(squares / total)


@njit
def _cusum(log_close, threshold, is_event):  # type: ignore[no-untyped-def]
    up, down = 0.0, 0.0
    for t in range(1, len(log_close)):
        if not threshold[t] >= 0.0:
            continue
        change = log_close[t] - log_close[t - 1]
        up, down = max(0.0, up + change), min(0.0, down + change)
        if down < -threshold[t]:
            down, is_event[t] = 0.0, True
        elif up > threshold[t]:
            up, is_event[t] = 0.0, True
