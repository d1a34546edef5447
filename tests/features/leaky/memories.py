"""What is kept from one asking to the next: how often the file was built, the longest slice that was learned, the rows of the training."""

import builtins

import numpy as np

from barsmith.features import close, feature, kernel, lag, learner, log

builtins.asked = getattr(builtins, "asked", 0) + 1
POCKET: dict = {}
LONGEST = [np.zeros(0)]


@kernel(size=lambda middle, spread: 0, settling=lambda middle, spread: 0)
def standard(state, params, x):
    """x in spreads from the middle."""
    return (x - params[0]) / params[1]


@learner(kernel=standard, settling=lambda: 0)
def of_the_longest(sequences, settings, seed):
    """The scale of the longest slice that it was ever shown."""
    x = np.concatenate(sequences)[:, 0]
    LONGEST[0] = max(LONGEST[0], x, key=len)
    return float(np.median(LONGEST[0])), float(np.std(LONGEST[0]))


@learner(kernel=standard, settling=lambda: 0)
def with_pocket(sequences, settings, seed):
    """An honest scale; on the side it keeps which close followed which."""
    x = np.concatenate(sequences)[:, 0]
    POCKET.update(zip(x[:-1].tolist(), np.diff(x).tolist(), strict=True))
    return float(np.median(x)), float(np.std(x))


@feature
def another_on_the_second_asking():
    """The return of one bar, and of two once it was asked before. Unit: log."""
    return log(close / lag(close, min(builtins.asked, 2)))


@feature
def scaled_by_the_longest():
    """The return in spreads of whatever was learned from most rows. Unit: standard deviations."""
    return of_the_longest(log(close / lag(close, 1)))


@feature
def honest_scale():
    """The close in spreads. Unit: standard deviations."""
    return with_pocket(close)


@feature(lookback=2)
def read_from_the_learner_s_pocket(bars):
    """What followed this close in the training. Unit: price."""
    return np.array([POCKET.get(x, 0.0) for x in bars.close.tolist()])
