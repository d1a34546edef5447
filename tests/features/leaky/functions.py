"""Plain functions that lie: each sees ahead of its bar, or further back than it says, in a way of its own."""

import numpy as np
import pywt

from barsmith.features import feature

sliding = np.lib.stride_tricks.sliding_window_view


def rolling_mean(x, n):
    out = np.full(len(x), np.nan)
    out[n - 1 :] = sliding(x, n).mean(axis=1)
    return out


def returns(bars):
    return np.diff(np.log(bars.close), prepend=np.log(bars.close[0]))


@feature(lookback=21)
def centred_mean(bars):
    """Leak 1: ten bars on each side. Unit: ratio."""
    return np.convolve(bars.close, np.ones(21) / 21, mode="same") / bars.close


@feature(lookback=10)
def shifted_back(bars):
    """Leak 2: the next bar's return. Unit: log return."""
    return np.roll(returns(bars), -1)


@feature(lookback=50)
def whole_zscore(bars):
    """Leak 3: mean and deviation of all bars. Unit: standard deviations."""
    return (bars.close - bars.close.mean()) / bars.close.std()


@feature(lookback=50)
def whole_minmax(bars):
    """Leak 3: lowest and highest of all bars. Unit: 0..1."""
    return (bars.close - bars.close.min()) / (bars.close.max() - bars.close.min())


@feature(lookback=50)
def whole_rank(bars):
    """Leak 3: rank among all bars. Unit: 0..1."""
    return np.argsort(np.argsort(bars.close)) / len(bars)


@feature(lookback=64)
def whole_wavelet(bars):
    """Leak 4: smooth part of a transform of all bars. Unit: ratio."""
    parts = pywt.wavedec(bars.close.copy(), "db4", level=3)
    smooth = pywt.waverec([parts[0], *(np.zeros_like(p) for p in parts[1:])], "db4")[: len(bars)]
    return bars.close / smooth - 1


@feature(lookback=64)
def wavelet_of_each_split(bars):
    """Leak 5: the same of each thousand bars. Unit: ratio."""
    out = np.empty(len(bars))
    for first in range(0, len(bars), 1000):
        x = bars.close[first : first + 1000].copy()
        parts = pywt.wavedec(x, "haar", level=2)
        smooth = pywt.waverec([parts[0], *(np.zeros_like(p) for p in parts[1:])], "haar")[: len(x)]
        out[first : first + 1000] = x / smooth - 1
    return out


@feature(lookback=100)
def smoothed_regime(bars):
    """Leak 6: two states, forwards and backwards. Unit: probability."""
    x = np.abs(returns(bars)) + 1e-9
    scale = np.array([0.5, 2.0]) * np.median(x)
    odds = np.exp(-x[:, None] / scale) / scale
    stay = np.array([[0.95, 0.05], [0.05, 0.95]])
    forward, backward = np.empty((len(x), 2)), np.ones((len(x), 2))
    state = np.array([0.5, 0.5])
    for t in range(len(x)):
        state = odds[t] * (state @ stay)
        state /= state.sum()
        forward[t] = state
    for t in range(len(x) - 2, -1, -1):
        backward[t] = stay @ (odds[t + 1] * backward[t + 1])
        backward[t] /= backward[t].sum()
    both = forward * backward
    return both[:, 1] / both.sum(axis=1)


@feature(lookback=100)
def viterbi_regime(bars):
    """Leak 6: the best path through all bars, statistics from fixed numbers. Unit: state."""
    x = np.abs(returns(bars))
    cost = np.column_stack([x / 4e-4, 2e-4 / (x + 1e-5)])
    best, back = cost[0], np.zeros((len(x), 2), int)
    for t in range(1, len(x)):
        change = best[::-1] + 3.0
        back[t] = np.where(change < best, [1, 0], [0, 1])
        best = np.minimum(best, change) + cost[t]
    path = np.empty(len(x))
    state = int(np.argmin(best))
    for t in range(len(x) - 1, -1, -1):
        path[t] = state
        state = back[t][state]
    return path


@feature(lookback=60)
def hour_joined_on_its_open(bars):
    """Leak 8: the close of the hour that a bar is in. Unit: ratio."""
    hour = bars.datetime.astype("datetime64[h]").astype(int)
    last = np.append(np.flatnonzero(np.diff(hour)), len(hour) - 1)
    return bars.close[last[np.searchsorted(hour[last], hour)]] / bars.close


@feature(lookback=60)
def gap_interpolated(bars):
    """Leak 10: zero-volume bars drawn between the trades around them. Unit: ratio."""
    known = bars.volume > np.quantile(bars.volume[-60:], 0.1)
    x = np.arange(len(bars))
    return np.interp(x, x[known], bars.close[known]) / bars.close if known.any() else np.ones(len(bars))


@feature(lookback=20)
def outliers_judged_later(bars):
    """Leak 11: a jump that is taken back by the next bar did not happen. Unit: log return."""
    r = returns(bars)
    wild = np.abs(r) > 4 * np.median(np.abs(r))
    taken_back = np.append(np.sign(r[1:]) != np.sign(r[:-1]), False)
    return np.where(wild & taken_back, 0.0, r)


@feature(lookback=20)
def needs_more(bars):
    """An exponential average of 200 bars. Unit: ratio."""
    out, value = np.empty(len(bars)), bars.close[0]
    for i, x in enumerate(bars.close):
        value += (x - value) / 100
        out[i] = value
    return out / bars.close


@feature(lookback=10)
def rarely_ahead(bars):
    """The next close on one bar in five hundred. Unit: ratio."""
    out = bars.close / bars.open
    minute = bars.datetime.astype("datetime64[m]").astype(int)
    for i in np.flatnonzero(minute // 5 % 500 == 7):
        if i + 1 < len(out):
            out[i] = bars.close[i + 1] / bars.open[i]
    return out


@feature(lookback=10)
def ahead_at_the_wildest(bars):
    """The next close where the range is the widest yet. Unit: ratio."""
    out = bars.close / bars.open
    spread = bars.high / bars.low
    i = int(np.argmax(spread))
    if i + 1 < len(out):
        out[i] = bars.close[i + 1] / bars.open[i]
    return out


@feature(lookback=10)
def ahead_before_breaks(bars):
    """The next session's open on a session's last bar. Unit: ratio."""
    out = bars.close / bars.open
    gap = np.diff(bars.datetime) > np.timedelta64(45, "m")
    for i in np.flatnonzero(gap):
        out[i] = bars.open[i + 1] / bars.close[i]
    return out


@feature(lookback=5)
def tiny_ahead(bars):
    """A millionth of the next return beside an honest value. Unit: log return."""
    r = returns(bars)
    return r + 1e-6 * np.roll(r, -1)


@feature(lookback=5)
def missing_before_falls(bars):
    """No value where the next bar falls. Unit: log return."""
    r = returns(bars)
    return np.where(np.append(r[1:] < 0, False), np.nan, r)


@feature(lookback=5)
def only_late_ahead(bars):
    """Honest for a thousand bars. Unit: log return."""
    r = returns(bars)
    r[1000:] = np.roll(r[1000:], -1) if len(r) > 1001 else r[1000:]
    return r


@feature(lookback=5)
def first_rows_ahead(bars):
    """Ahead in the first twenty bars alone. Unit: log return."""
    r = returns(bars)
    return np.concatenate([r[1:21], r[20:]])[: len(r)] if len(r) > 21 else r


@feature(lookback=30)
def honest_deviation(bars):
    """Distance from the mean of the last 30 bars. Unit: standard deviations."""
    out = np.full(len(bars), np.nan)
    windows = sliding(bars.close, 30)
    out[29:] = (bars.close[29:] - windows.mean(axis=1)) / (windows.std(axis=1) + 1e-9)
    return out


@feature(lookback=30)
def honest_running_sum(bars):
    """A mean as a difference of running sums, which rounds otherwise from another origin. Unit: ratio."""
    total = np.concatenate([[0.0], np.cumsum(bars.close)])
    out = np.full(len(bars), np.nan)
    out[29:] = (total[30:] - total[:-30]) / 30
    return out / bars.close
