"""Regimes: how calm or wild the market is for this time of day, whether it trends, turns or goes nowhere, and both in one score."""

from __future__ import annotations

import math

import numpy as np

from barsmith.config import shown
from barsmith.errors import UsageError
from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, high, lag, log, low, maximum, minute, session
from barsmith.features.hmm import FEWEST_STATES, MOST_STATES
from barsmith.features.hmm_filter import hmm
from barsmith.features.indicators import ta
from barsmith.features.kernels import Kernel, kernel, mean
from barsmith.features.learned import Learned, learner
from barsmith.features.scale import LEAST_RANGE, log_close
from barsmith.features.windows import usual, window_ratio

#: Bars of which a regime is judged: an hour of 5m bars.
HOUR = 12
#: Share of the way that was progress: of a trend, and of the short move that turns one. ADX of a trend.
TREND, TURN, STRONG = 0.25, 0.5, 0.2


@kernel(size=lambda low, high: 0, settling=lambda low, high: 0)
def outside(state: np.ndarray, params: tuple[float, ...], x: float) -> float:
    """-1 below the lower cut, 1 above the upper, 0 between them."""
    if np.isnan(x):
        return np.nan
    return -1.0 if x < params[0] else 1.0 if x > params[1] else 0.0


@learner(kernel=outside, settling=lambda lower, upper: 0)
def quantile_cuts(sequences: list[np.ndarray], settings: tuple[float, ...], seed: np.random.SeedSequence) -> tuple[float, ...]:
    """The values below which these shares of the training rows lie."""
    return tuple(np.quantile(np.concatenate(sequences)[:, 0], settings).tolist())


@kernel(size=lambda cap: 2, settling=lambda cap: int(cap))
def since_change(state: np.ndarray, params: tuple[float, ...], x: float) -> float:
    """Bars since x was last another value, at most `cap` of them; as share of `cap`."""
    if np.isnan(x):
        return np.nan
    state[1] = params[0] if np.isnan(state[0]) else 0.0 if x != state[0] else min(state[1] + 1.0, params[0])
    state[0] = x
    return state[1] / params[0]


@kernel(size=lambda trend, turn, strong: 0, settling=lambda trend, turn, strong: 0, outputs=("regime", "direction"))
def trend_rule(state: np.ndarray, params: tuple[float, ...], whole: float, before: float, fast: float, adx: float) -> tuple[float, float]:
    """Trending, turning or neither, and which way, from signed efficiency ratios of all bars, of those before the last few, of these."""
    trend, turn, strong = params[0], params[1], params[2]
    if np.isnan(whole + before + fast + adx):
        return np.nan, np.nan
    if abs(before) >= trend and abs(fast) >= turn and before * fast < 0.0:
        return -1.0, np.sign(fast)
    if abs(whole) >= trend and adx >= strong:
        return 1.0, np.sign(whole)
    return 0.0, 0.0


def usual_range() -> Expr:
    """The range that a bar usually has at this time of day. Unit: share of the price."""
    return maximum(usual((high - low) / close, session, minute), LEAST_RANGE)


def activity(n: int) -> Expr:
    """Average range of the last n bars, each in ranges that are usual at its time of day."""
    return mean((high - low) / close / usual_range(), n=n)


def hidden_regime(states: int) -> Learned:
    """The states of the last twelve bars: their move and ranges, in ranges usual at this time of day. One node for all its features."""
    if not FEWEST_STATES <= states <= MOST_STATES:
        raise UsageError(
            "config/out-of-range",
            expected=f"{FEWEST_STATES} to {MOST_STATES} states of a hidden Markov model",
            came=shown(states),
            do="correct the number of states",
        )
    move = (log_close - lag(log_close, HOUR)) / (usual_range() * math.sqrt(HOUR))
    return hmm(move, log(0.05 + activity(HOUR)), states=states)


def trend_states(n: int) -> Kernel:
    """Trend by the rule of `trend_rule` over n bars, the last quarter of which may turn it."""
    step, few = close - lag(close, 1), max(n // 4, 1)
    whole, before, fast = (window_ratio(x, abs(x), n=m, flat=0.0) for x, m in ((step, n), (lag(step, few), n - few), (step, few)))
    return trend_rule(whole, before, fast, ta.ADX(high, low, close, timeperiod=14) / 100, trend=TREND, turn=TURN, strong=STRONG)


@feature(n=(HOUR,))
def usual_range_ratio(n: int) -> Expr:
    """Average range of n bars over what is usual at their time of day, of the last five sessions: above 1 the market is awake.

    Unit: ratio. Source: Andersen and Bollerslev (1997), intraday periodicity.
    """
    return activity(n)


@feature(states=(2, 3, 4))
def hmm_regime_state(states: int) -> Expr:
    """The most likely state of the market, from the calmest to the wildest. Unit: 0..1 in equal steps. Source: Hamilton (1989)."""
    return hidden_regime(states).state


@feature(states=(3, 4))
def hmm_regime_level(states: int) -> Expr:
    """Average of the states by their chances, from the calmest to the wildest. Unit: 0..1. Source: Hamilton (1989)."""
    return hidden_regime(states).level


@feature(states=(3,))
def hmm_regime_calm(states: int) -> Expr:
    """Chance that the market is in its calmest state. Unit: probability. Source: Hamilton (1989), filtered."""
    return hidden_regime(states).calm


@feature(states=(3,))
def hmm_regime_wild(states: int) -> Expr:
    """Chance that the market is in its wildest state. Unit: probability. Source: Hamilton (1989), filtered."""
    return hidden_regime(states).wild


@feature(states=(3,))
def hmm_regime_entropy(states: int) -> Expr:
    """How unsure the state is: 0 sure, 1 all as likely. Unit: 0..1. Source: Shannon (1948)."""
    return hidden_regime(states).entropy


@feature(states=(3,))
def hmm_regime_age(states: int) -> Expr:
    """Bars since the most likely state changed, at most 48. Unit: share of 48 bars. Source: common definition."""
    return since_change(hidden_regime(states).state, cap=48)


@feature(n=(HOUR,))
def volatility_regime(n: int) -> Expr:
    """Low, normal or high volatility for the time of day: the lowest and the highest quarter of the training rows.

    Unit: -1 low, 0 normal, 1 high. Source: common definition.
    """
    return quantile_cuts(activity(n), lower=0.25, upper=0.75)


@feature(n=(32,))
def trend_regime(n: int) -> Expr:
    """Whether n bars trend, go nowhere, or their last quarter turns the trend before it.

    Unit: 1 trending, 0 ranging, -1 reversal. Source: Wilder (1978), Kaufman (1995).
    """
    return trend_states(n).regime


@feature(n=(32,))
def trend_direction(n: int) -> Expr:
    """Which way the trend of n bars goes, or the turn that ends it; 0 where the market goes nowhere.

    Unit: 1 up, 0 none, -1 down. Source: Wilder (1978), Kaufman (1995).
    """
    return trend_states(n).direction


@feature(states=(3,), n=(32,))
def regime_score(states: int, n: int) -> Expr:
    """Direction of a trend of n bars, worth less the wilder the market: 1 a calm rise, -1 a calm fall, 0 none or wild.

    Unit: -1..1. Source: own, of the hidden, volatility and trend regimes.
    """
    wildness = (hidden_regime(states).level + (volatility_regime(HOUR) + 1) / 2) / 2
    return trend_states(n).direction * (1 - wildness)
