"""Candles: what a bar says of the one before it and how the last bodies and shadows add up, as dense numbers instead of named patterns."""

from __future__ import annotations

import math

import numpy as np

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, high, low, maximum, minimum, open_
from barsmith.features.kernels import Kernel, kernel
from barsmith.features.windows import window_ratio

#: Bars after which a run of one colour is as long as it counts.
LONGEST = 8


@kernel(size=lambda longest: 5, settling=lambda longest: longest, outputs=("engulfing", "inside", "outside", "run"))
def neighbours(
    state: np.ndarray, params: tuple[float, ...], open_: float, high: float, low: float, close: float
) -> tuple[float, float, float, float]:
    """A bar against the one before it.

    engulfing: share of an opposite body before that this body covers, with this body's sign. inside: share of this range within the one
    before; outside: share of the range before within this one; a range of one price lies inside or not. run: bars of one colour in
    a row, `longest` at most, with the colour's sign; 0 for a bar without a body.
    """
    open_before, high_before, low_before, close_before, run = state
    body = close - open_
    state[0], state[1], state[2], state[3] = open_, high, low, close
    went_on = body * run > 0.0
    state[4] = min(abs(run) + 1.0, params[0]) * np.sign(body) if went_on else np.sign(body)
    if close_before != close_before:
        return math.nan, math.nan, math.nan, state[4]
    before, common = close_before - open_before, min(high, high_before) - max(low, low_before)
    covered = min(max(close, open_), max(close_before, open_before)) - max(min(close, open_), min(close_before, open_before))
    engulfing = np.sign(body) * max(covered, 0.0) / abs(before) if body * before < 0.0 else 0.0
    touches = 1.0 if common >= 0.0 else 0.0
    inside = max(common, 0.0) / (high - low) if high > low else touches
    outside = max(common, 0.0) / (high_before - low_before) if high_before > low_before else touches
    return engulfing, inside, outside, state[4]


def pair_of_bars() -> Kernel:
    return neighbours(open_, high, low, close, longest=LONGEST)


@feature
def candle_engulfing() -> Expr:
    """Share of the body before that this body of the other colour covers: 1 is a bullish engulfing, -1 a bearish one, 0 the same colour.

    Unit: -1..1. Source: Nison (1991), engulfing pattern.
    """
    return pair_of_bars().engulfing


@feature
def candle_inside() -> Expr:
    """Share of the bar's range that lies within the range before: 1 is an inside bar. Unit: 0..1. Source: Crabel (1990), inside day."""
    return pair_of_bars().inside


@feature
def candle_outside() -> Expr:
    """Share of the range before that the bar's range covers: 1 is an outside bar. Unit: 0..1. Source: Crabel (1990), outside day."""
    return pair_of_bars().outside


@feature
def candle_run() -> Expr:
    """Bars of one colour in a row as a share of eight, more count as eight: above 0 they rose; 0 for a bar without a body.

    Unit: -1..1. Source: Nison (1991), record sessions.
    """
    return pair_of_bars().run / LONGEST


@feature(n=(10,))
def candle_body_balance(n: int) -> Expr:
    """Sum of n bodies, rises minus falls, over the sum of the ranges; 0 in a flat market. Unit: -1..1. Source: Nison (1991), real body."""
    return window_ratio(close - open_, high - low, n=n, flat=0.0)


@feature(n=(10,))
def candle_shadow_balance(n: int) -> Expr:
    """Sum of n lower shadows minus the upper ones, over the sum of the ranges: above 0 the lows were bought; 0 in a flat market.

    Unit: -1..1. Source: Nison (1991), shadows.
    """
    shadows = (minimum(open_, close) - low) - (high - maximum(open_, close))
    return window_ratio(shadows, high - low, n=n, flat=0.0)
