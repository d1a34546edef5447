"""A few honest features, and one for each fault that the conformance checks are there to find."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view as sliding

from barsmith.features import (
    Bars,
    Expr,
    absolute,
    close,
    end_,
    feature,
    high,
    kernel,
    lag,
    log,
    low,
    maximum,
    on,
    open_,
    sqrt,
    ta,
    volume,
    zscore,
)
from barsmith.features.learned import learner

COUNT = count(3)
change = close / lag(close, 1) - 1


@feature(n=(10, 40))
def honest_zscore(n: int) -> Expr:
    return zscore(close, n=n)


@feature(timeframe=("1m", "1h"))
def honest_rsi_on(timeframe: str) -> Expr:
    return on(timeframe, ta.RSI(close, timeperiod=14) / 100)


@feature(lookback=20)
def honest_place(bars: Bars) -> np.ndarray:
    low, high = sliding(bars.low, 20).min(axis=1), sliding(bars.high, 20).max(axis=1)
    place = np.where(high > low, (bars.close[19:] - low) / np.maximum(high - low, 1e-12), 0.5)
    return np.concatenate([np.full(19, np.nan), place])


@kernel(size=lambda centre, spread: 0, settling=lambda centre, spread: 0)
def standard(state, params, x):
    return (x - params[0]) / params[1]


@learner(kernel=standard, settling=lambda: 0)
def centred(sequences, settings, seed):
    rows = np.concatenate(sequences)[:, 0]
    return np.median(rows), np.quantile(rows, 0.9) - np.quantile(rows, 0.1)


@feature
def honest_learned() -> Expr:
    return centred(change)


@dataclass(frozen=True)
class OverOne(Expr):
    """A node of one input."""

    inputs: tuple[Expr, ...]


class Following(OverOne):
    """Reads the next bar in batch; live there is none."""

    def read(self, *history):
        return np.append(history[0][1:], history[0][-1:]), lambda x: x


class AmongAll(OverOne):
    """Distance from the mean of all bars."""

    def read(self, *history):
        (x,) = history
        return x - np.nanmean(x) if len(x) else x, lambda x: x


class RunningMean(OverOne):
    """A mean of 10: in batch from running sums, live summed afresh."""

    settling_bars = 9

    def read(self, *history):
        sums = np.cumsum(history[0])
        window = deque(history[0][-10:].tolist(), maxlen=10)

        def step(x):
            window.append(x)
            return sum(window) / 10 if len(window) == 10 else np.nan

        return np.concatenate([np.full(min(9, len(sums)), np.nan), (sums[9:] - np.append(0.0, sums[:-10])[: len(sums[9:])]) / 10]), step


class WithoutPast(OverOne):
    """The value a bar ago, which a session that is restored does not know."""

    settling_bars = 1

    def read(self, *history):
        column = np.append(np.nan, history[0])[:-1]
        past = deque([np.nan], maxlen=1)

        def step(x):
            before = past[0]
            past.append(x)
            return before

        return column, step


class StepThatFails(OverOne):
    def read(self, *history):
        def step(x):
            raise ArithmeticError("no bar like the others")

        return history[0] + 0.0, step


class SettlesByChance(OverOne):
    """Another warm-up each time one asks."""

    @property
    def settling_bars(self) -> int:
        return next(COUNT)

    def read(self, *history):
        return history[0] + 0.0, lambda x: x


class LeftOver(OverOne):
    """The value a bar ago; before the first bar, what another reading has left."""

    settling_bars = 1
    past = (0.5,)

    def read(self, *history):
        def step(x):
            (before,), LeftOver.past = LeftOver.past, (x,)
            return before

        return np.array([step(x) for x in history[0].tolist()]), step


class OneForAll(OverOne):
    """The value a bar ago, kept in one place for all sessions."""

    settling_bars = 1
    past = (np.nan,)

    def read(self, *history):
        OneForAll.past = tuple(history[0][-1:]) or (np.nan,)

        def step(x):
            (before,), OneForAll.past = OneForAll.past, (x,)
            return before

        return np.append(np.nan, history[0])[:-1], step


@feature
def next_change() -> Expr:
    return Following((change,))


@feature
def change_among_all() -> Expr:
    return AmongAll((change,))


@feature
def running_mean() -> Expr:
    return RunningMean((close,)) / close


@feature
def step_that_fails() -> Expr:
    return StepThatFails((change,))


@feature
def settles_by_chance() -> Expr:
    return SettlesByChance((change,))


@feature
def without_past() -> Expr:
    return WithoutPast((close,)) / close


@feature
def left_over() -> Expr:
    return LeftOver((change,))


@feature
def one_for_all() -> Expr:
    return OneForAll((change,))


@feature(lookback=20)
def place_among_all(bars: Bars) -> np.ndarray:
    low, high = bars.low.min(), bars.high.max()
    return (bars.close - low) / (high - low) if high > low else np.full(len(bars), 0.5)


@feature(lookback=5)
def drawn(bars: Bars) -> np.ndarray:
    return np.random.default_rng().normal(size=5)


@learner(kernel=standard, settling=lambda: 0)
def learned_at_random(sequences, settings, seed):
    return np.random.default_rng().normal(), 1.0


@feature
def learned_with_its_own_dice() -> Expr:
    return learned_at_random(change)


@feature
def place_in_its_bar() -> Expr:
    return (close - low) / (high - low)


@kernel(size=lambda: 2, settling=lambda: 0)
def bars_since_a_change(state, params, x):
    state[1] = 0.0 if state[0] != x else state[1] + 1.0
    state[0] = x
    return state[1]


@feature
def still_for() -> Expr:
    return bars_since_a_change(close)


@feature(lookback=5)
def divided_by_the_range(bars: Bars) -> np.ndarray:
    low, high = min(bars.low.tolist()), max(bars.high.tolist())  # Python's own numbers raise where NumPy's are NaN
    return np.full(5, (float(bars.close[-1]) - low) / (high - low))


@feature
def move_per_contract() -> Expr:
    return absolute(change) / volume


@feature
def move_per_contract_or_bit() -> Expr:
    return absolute(change) / maximum(volume, 1e-9)


@feature
def distance_in_points() -> Expr:
    return close - ta.SMA(close, timeperiod=20)


@feature
def range_of_a_known_tick() -> Expr:
    return (high - low) / maximum(ta.SMA(high - low, timeperiod=20), 0.01)


@feature
def change_by_the_clock() -> Expr:
    since = end_ - lag(end_, 1)
    return change / sqrt((since - 120) * (since - 1200))  # NaN after a hole of hours, which a session break is not


@feature
def log_of_a_move() -> Expr:
    return log((close - open_) / close)


@kernel(size=lambda: 0, settling=lambda: 50_000)
def patient(state, params, x):
    return x


@feature
def never_settled() -> Expr:
    return patient(change)


@kernel(size=lambda n: 1, settling=lambda n: n)
def hasty_average(state, params, x):
    before = state[0] if state[0] == state[0] else x
    state[0] = before + (x - before) / params[0]
    return state[0]


@feature
def hasty_distance() -> Expr:
    return close / hasty_average(close, n=50) - 1


@kernel(size=lambda: 2, settling=lambda: 0)
def mean_of_all_before(state, params, x):
    if state[0] != state[0]:
        state[0], state[1] = 0.0, 0.0
    state[0] += x
    state[1] += 1.0
    return state[0] / state[1]


@feature
def distance_from_all_before() -> Expr:
    return close / mean_of_all_before(close) - 1


#: Features that raise: a check tries the others without them, over and over.
RAISING = ("settles_by_chance", "step_that_fails", "divided_by_the_range")
#: The fault's feature -> the check that finds it, and words that it says.
FAULTS = {
    "next_change": ("bars_up_to_a_moment_give_its_row", "read up to a moment"),
    "change_among_all": ("bars_up_to_a_moment_give_its_row", "read up to a moment"),
    "place_among_all": ("a_function_gives_every_bar_what_its_own_bars_give", "changes when later bars are known"),
    "running_mean": ("live_gives_the_bits_of_the_batch", "live, the bar that ends"),
    "settles_by_chance": ("live_gives_the_bits_of_the_batch", "it has settled at other bars than in batch"),
    "step_that_fails": ("live_gives_the_bits_of_the_batch", "raises ArithmeticError: no bar like the others"),
    "without_past": ("a_restored_session_goes_on_with_the_same_bits", "restored after"),
    "left_over": ("reading_again_gives_the_same_bits", "read again"),
    "drawn": ("reading_again_gives_the_same_bits", "read again"),
    "learned_with_its_own_dice": ("reading_again_gives_the_same_bits", "read again"),
    "one_for_all": ("sessions_side_by_side_leave_each_other_alone", "beside another session"),
    "place_in_its_bar": ("a_flat_market_is_finite_and_bounded", "has nan, due is a finite number"),
    "still_for": ("a_flat_market_is_finite_and_bounded", "of at most 1"),
    "divided_by_the_range": ("a_flat_market_is_finite_and_bounded", "came ZeroDivisionError"),
    "move_per_contract": ("zero_volume_is_finite_and_bounded", "has inf, due is a finite number"),
    "move_per_contract_or_bit": ("zero_volume_is_finite_and_bounded", "of at most 100"),
    "distance_in_points": ("huge_prices_change_nothing", "at huge prices"),
    "range_of_a_known_tick": ("tiny_prices_change_nothing", "at tiny prices"),
    "change_by_the_clock": ("gaps_and_session_breaks_leave_it_finite", "in the awkward market"),
    "log_of_a_move": ("nan_stands_only_in_the_warm_up", "due is a finite number"),
    "never_settled": ("nan_stands_only_in_the_warm_up", "has not settled after 30 sessions"),
    "hasty_distance": ("a_settled_value_has_forgotten_its_origin", "settled in a history that begins"),
    "distance_from_all_before": ("a_settled_value_has_forgotten_its_origin", "settled in a history that begins"),
}
