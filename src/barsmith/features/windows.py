"""Windows that several groups of the catalogue look through; each is summed afresh at every bar, in the order of time."""

from __future__ import annotations

import math

import numpy as np

from barsmith.features.kernels import kernel, push

#: A spread of values below this share of their size is rounding, not movement.
ROUNDING = 1e-10
#: Sessions that say what is usual, and the half-hours of a day by which they say it.
SESSIONS, SLOTS = 5, 48


@kernel(size=lambda n, flat: 2 * n, settling=lambda n, flat: n - 1)
def window_ratio(state: np.ndarray, params: tuple[float, ...], above: float, below: float) -> float:
    """Sum of the last n of one series over the sum of another; `flat` where the lower sum is 0."""
    n = int(params[0])
    push(state[:n], above)
    push(state[n:], below)
    total, base = 0.0, 0.0
    for i in range(n):
        total += state[i]
        base += state[n + i]
    return total / base if base != 0.0 else params[1]


@kernel(
    size=lambda n: n,
    settling=lambda n: n - 1,
    outputs=("average", "deviation", "zscore", "absolute_deviation", "skew", "kurtosis"),
)
def moments(state: np.ndarray, params: tuple[float, ...], x: float) -> tuple[float, float, float, float, float, float]:
    """Average, standard deviation, the newest value in deviations from the average, mean absolute deviation, skew and excess kurtosis.

    Population moments of the last n, measured from the newest value, so that a flat window is exactly flat: then all but the average are 0.
    """
    push(state, x)
    n = len(state)
    offset, s1, s2, s3, s4 = 0.0, 0.0, 0.0, 0.0, 0.0
    for v in state:
        offset += v - x
    offset /= n
    for v in state:
        d = (v - x) - offset
        s1 += abs(d)
        s2 += d * d
        s3 += d * d * d
        s4 += d * d * d * d
    variance = s2 / n
    deviation = math.sqrt(variance)
    if deviation <= ROUNDING * abs(x):
        return x + offset, 0.0, 0.0, 0.0, 0.0, 0.0
    return x + offset, deviation, -offset / deviation, s1 / n, s3 / n / (variance * deviation), s4 / n / (variance * variance) - 3.0


@kernel(size=lambda n: 2 * n, settling=lambda n: n - 1, outputs=("slope", "correlation"))
def pair(state: np.ndarray, params: tuple[float, ...], y: float, x: float) -> tuple[float, float]:
    """Least-squares slope of y on x over the last n, and their correlation; 0 where one of them stands still."""
    n = len(state) // 2
    push(state[:n], y)
    push(state[n:], x)
    offset_y, offset_x, syy, sxy, sxx = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        offset_y += state[i] - y
        offset_x += state[n + i] - x
    offset_y /= n
    offset_x /= n
    for i in range(n):
        dy, dx = (state[i] - y) - offset_y, (state[n + i] - x) - offset_x
        syy += dy * dy
        sxy += dx * dy
        sxx += dx * dx
    spread_y, spread_x = math.sqrt(syy), math.sqrt(sxx)
    if spread_x <= ROUNDING * abs(x) * n or spread_y <= ROUNDING * abs(y) * n:
        return 0.0, 0.0
    return sxy / spread_x / spread_x, sxy / spread_x / spread_y


@kernel(size=lambda: 1 + 2 * SLOTS * (SESSIONS + 1), settling=lambda: 0, sessions=SESSIONS + 1)
def usual(state: np.ndarray, params: tuple[float, ...], x: float, session: float, minute: float) -> float:
    """Average of x in this half-hour of the last five sessions that had bars; of all half-hours where none had this one."""
    now, width = 1 + 2 * SLOTS * SESSIONS, 2 * SLOTS  # each session has the sum and the number of bars of every slot, today's stand last
    if state[0] != session:
        if np.isnan(state[0]):
            state[1:] = 0.0
        for i in range(1, now):
            state[i] = state[i + width]
        state[now:] = 0.0
        state[0] = session
    slot = 2 * min(int((minute - 1.0) // 30.0), SLOTS - 1)
    total, bars = 0.0, 0.0
    for i in range(1 + slot, now, width):
        total += state[i]
        bars += state[i + 1]
    if bars == 0.0:
        for i in range(1, now, 2):
            total += state[i]
            bars += state[i + 1]
    state[now + slot] += x
    state[now + slot + 1] += 1.0
    return total / bars
