"""Expressions of a user's own nodes and kernels that lie: their column knows what their step cannot, or both know it from elsewhere."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from barsmith.features import Expr, close, feature, high, kernel, lag, low, open_, ta
from barsmith.features.graph import volume


class Own(Expr):
    """One input; the step is an honest change over one bar, whatever the column says."""

    def __init__(self, x=close):
        self.inputs = (x,)

    def __eq__(self, other):
        return type(self) is type(other) and self.inputs == other.inputs

    def __hash__(self):
        return hash((type(self), self.inputs))

    def read(self, x):
        before = deque([x[-1] if len(x) else np.nan], 1)

        def step(value):
            change = value - before[0]
            before.append(value)
            return change

        with np.errstate(all="ignore"):
            return self.column(x), step

    def honest(self, x):
        return np.diff(x, prepend=np.nan) if len(x) else np.empty(0)


class NextChange(Own):
    def column(self, x):
        return np.append(self.honest(x)[1:], np.nan) if len(x) else np.empty(0)


class RareChange(Own):
    def column(self, x):
        out = self.honest(x)
        rows = np.arange(600, len(x) - 1, 611)
        out[rows] = out[rows + 1]
        return out


class OverAll(Own):
    def column(self, x):
        out = self.honest(x)
        return out / np.nanstd(out) if len(x) > 2 else out


class HiddenOnLargeNumber(Own):
    """1e9 and the sign of the next change: small beside the value, everything beside its spread."""

    def read(self, x):
        ahead = np.append(self.honest(x)[1:], 0.0) if len(x) else np.empty(0)
        return 1e9 + 0.4 * np.sign(np.nan_to_num(ahead)), lambda value: 1e9


class AnotherStep(Own):
    def read(self, x):
        column, step = super().read(x)
        return column, lambda value: 1.001 * step(value)

    def column(self, x):
        return self.honest(x)


class MissingAhead(Own):
    def column(self, x):
        out = self.honest(x)
        if len(x):
            out[:-1][out[1:] < 0] = np.nan
        return out


@dataclass(frozen=True)
class HalfHour(Expr):
    """The close of the group of six bars that a bar is in, finished or not."""

    inputs: tuple = (close,)

    def read(self, x):
        out = x.copy()
        for first in range(0, len(x), 6):
            out[first : first + 6] = x[min(first + 5, len(x) - 1)]
        return out, lambda value: value


@kernel(size=lambda: 1, settling=lambda: 0)
def since_origin(state, params, x):
    """Never forgets where it began."""
    state[0] = (0.0 if np.isnan(state[0]) else state[0]) + 1.0
    return x * state[0]


@kernel(size=lambda n: 1, settling=lambda n: n)
def too_soon_settled(state, params, x):
    """An exponential average of 200 bars that says it needs n."""
    state[0] = x if np.isnan(state[0]) else state[0] + (x - state[0]) / 100.0
    return state[0]


@kernel(size=lambda n: n, settling=lambda n: n - 1)
def honest_reach(state, params, x):
    """Largest of the last n."""
    for i in range(len(state) - 1):
        state[i] = state[i + 1]
    state[-1] = x
    return state.max()


@feature
def next_change():
    """Leak 2 in a node of one's own. Unit: price."""
    return NextChange()


@feature
def rare_change():
    """On one bar in six hundred. Unit: price."""
    return RareChange()


@feature
def over_all():
    """Leak 3. Unit: deviations."""
    return OverAll()


@feature
def hidden_on_large_number():
    """Within 1e-9 of the value. Unit: -."""
    return HiddenOnLargeNumber()


@feature
def another_step():
    """Live is not batch. Unit: price."""
    return AnotherStep()


@feature
def missing_ahead():
    """Missing where the next bar falls. Unit: price."""
    return MissingAhead()


@feature
def half_hour():
    """Leak 9. Unit: ratio."""
    return HalfHour() / close


@feature
def never_forgets():
    """A count since the origin. Unit: ratio."""
    return since_origin(close / open_)


@feature
def settles_late():
    """A warm-up that is too short. Unit: ratio."""
    return too_soon_settled(close, n=20) / close


@feature(n=(3,))
def negative_lag(n):
    """Leak 2. Unit: ratio."""
    return close / lag(close, -n)


@feature(n=(1,))
def fails_when_made(n):
    """It cannot be made. Unit: -."""
    return close[n]


@feature
def honest_expression():
    """A ratio of ranges. Unit: ratio."""
    return (high - low) / ta.ATR(high, low, close, timeperiod=14)


@feature
def honest_kernel():
    """Share of the largest volume. Unit: ratio."""
    return volume / honest_reach(volume + 1.0, n=20)
