"""What makes a feature free of the price level: logarithms, division with a stated value for nothing over nothing, and the typical range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.features.graph import Expr, Operand, Step, close, expr, high, lag, log, low, maximum
from barsmith.features.indicators import ta
from barsmith.features.kernels import mean
from barsmith.features.pointwise import QUOTIENT
from barsmith.features.steps import Running

#: The least range of a bar, as a share of its price: far under one tick of any contract, far over the rounding of its price.
LEAST_RANGE = 1e-5

log_close = log(close)
log_change = log_close - lag(log_close, 1)


@dataclass(frozen=True)
class Ratio(Expr):
    """A quotient that is `flat` where the divisor is not larger than `least` in size; NaN stays NaN."""

    inputs: tuple[Expr, ...]
    flat: float
    least: float

    def identity(self) -> str:
        return f"ratio {self.flat.hex()} {self.least.hex()}"

    def read(self, *history: Any) -> tuple[Any, Step]:
        running = Running(QUOTIENT, np.empty(0), (self.flat, self.least))
        return running.over(*history), running


def ratio(above: Operand, below: Operand, flat: float = 0.0, least: float = 0.0) -> Expr:
    """above / below, and `flat` in a market that stands still: where below is 0, or not larger than `least` in size."""
    return Ratio((expr(above), expr(below)), float(flat), float(least))


#: Close in the bar's range, -1 at the low and 1 at the high; 0 for a bar of one price.
location = ratio((close - low) - (high - close), high - low)


def typical_range(n: int = 14) -> Expr:
    """Wilder's average true range of n bars, in price. Never 0, so that it can be divided by."""
    return maximum(ta.ATR(high, low, close, timeperiod=n), close * LEAST_RANGE)


def mean_range(n: int) -> Expr:
    """Plain average of the last n true ranges, in price: settled after n bars, where Wilder's takes thirty times as many."""
    return maximum(mean(ta.TRANGE(high, low, close), n=n), close * LEAST_RANGE)


def in_ranges(x: Expr) -> Expr:
    """A distance in price as a multiple of the typical range of 14 bars."""
    return x / typical_range()


def position(x: Expr, lowest: Expr, highest: Expr, least: float = 0.0) -> Expr:
    """Where x lies between two bounds: 0 at the lower, 1 at the upper, one half where they are one."""
    return ratio(x - lowest, highest - lowest, flat=0.5, least=least)
