"""Volume: how much is traded, on which side, and at which prices."""

from __future__ import annotations

import math

import numpy as np

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, high, lag, log, low, maximum, session, sign, volume
from barsmith.features.kernels import Kernel, kernel, mean, push
from barsmith.features.scale import in_ranges, location, position, ratio, typical_range
from barsmith.features.windows import ROUNDING, moments, pair, window_ratio

typical_price = (high + low + close) / 3
price_change = close - lag(close, 1)
#: A bar without trades counts as a billionth of a lot, so that an hour of them still has an average price.
weight = volume + 1e-9
VALUE_AREA = 0.7
#: A price this close below the edge of a bin, in bins, belongs above it whatever its last digits: thirds of ticks often lie there.
EDGE = 1e-9


@kernel(
    size=lambda n, bins: 2 * n + bins,
    settling=lambda n, bins: n - 1,
    outputs=("point_of_control", "value_low", "value_high"),
)
def volume_profile(state: np.ndarray, params: tuple[float, ...], price: float, volume: float) -> tuple[float, float, float]:
    """Volume by price of the last n bars in equal bins: the fullest bin's middle, and the bounds of the bins about it that hold 70 %.

    The area grows towards the fuller neighbour, downwards in a tie. Without any volume it is the whole range about its middle.
    """
    n, bins = int(params[0]), int(params[1])
    prices, volumes, profile = state[:n], state[n : 2 * n], state[2 * n :]
    push(prices, price)
    push(volumes, volume)
    if prices[0] != prices[0]:
        return math.nan, math.nan, math.nan
    lowest, highest, total = prices[0], prices[0], 0.0
    for i in range(n):
        if prices[i] < lowest:
            lowest = prices[i]
        elif prices[i] > highest:
            highest = prices[i]
        total += volumes[i]
    width = (highest - lowest) / bins
    if not total > 0.0:
        return (lowest + highest) / 2.0, lowest, highest
    if not width > 0.0:
        return lowest, lowest, highest
    profile[:] = 0.0
    scale = 1.0 / width
    for i in range(n):
        profile[min(int((prices[i] - lowest) * scale + EDGE), bins - 1)] += volumes[i]
    fullest = 0
    for k in range(bins):
        if profile[k] > profile[fullest]:
            fullest = k
    first, last, held = fullest, fullest, profile[fullest]
    while held < VALUE_AREA * total and last - first < bins - 1:
        if last == bins - 1 or (first > 0 and profile[first - 1] >= profile[last + 1]):
            first -= 1
            held += profile[first]
        else:
            last += 1
            held += profile[last]
    return lowest + (fullest + 0.5) * width, lowest + first * width, lowest + (last + 1) * width


@kernel(size=lambda: 4, settling=lambda: 0, sessions=1, outputs=("average", "deviation"))
def session_vwap(state: np.ndarray, params: tuple[float, ...], price: float, weight: float, session: float) -> tuple[float, float]:
    """Volume-weighted average price since the session's open, and the weighted standard deviation about it. Source: West (1979)."""
    if state[3] != session:
        state[0], state[1], state[2], state[3] = 0.0, price, 0.0, session
    state[0] += weight
    ahead = price - state[1]
    state[1] += weight / state[0] * ahead
    state[2] += weight * ahead * (price - state[1])
    return state[1], math.sqrt(state[2] / state[0])


def rolling_vwap(n: int) -> Expr:
    return window_ratio(typical_price * weight, weight, n=n, flat=0.0)


def balance(n: int) -> Expr:
    """The change of the on-balance volume over n bars, as a share of their volume."""
    return window_ratio(sign(price_change) * volume, volume, n=n, flat=0.0)


def profile(n: int, bins: int) -> Kernel:
    return volume_profile(typical_price, volume, n=n, bins=bins)


@feature(n=(20, 100))
def log_volume(n: int) -> Expr:
    """Logarithm of the volume over its average of n bars, one lot added to both. Unit: logarithm. Source: common definition."""
    return log((volume + 1) / (mean(volume, n=n) + 1))


@feature(n=(50,))
def volume_zscore(n: int) -> Expr:
    """Logarithm of the volume (one lot added) against that of the last n bars. Unit: standard deviations. Source: common definition."""
    return moments(log(volume + 1), n=n).zscore


@feature(fast=(10,), slow=(50,))
def volume_oscillator(fast: int, slow: int) -> Expr:
    """Average volume of the last bars against that of more bars: their difference over their sum; 0 without any.

    Unit: -1..1. Source: common definition.
    """
    recent, usual = mean(volume, n=fast), mean(volume, n=slow)
    return ratio(recent - usual, recent + usual)


@feature(n=(20, 60))
def obv_change(n: int) -> Expr:
    """Change of the on-balance volume over n bars as a share of their volume; 0 without any. Unit: -1..1. Source: Granville (1963)."""
    return balance(n)


@feature
def obv_divergence() -> Expr:
    """Change of 20 closes as a share of their way minus the same of the on-balance volume, halved: above 0 the price rose without volume.

    Unit: -1..1. Source: Granville (1963).
    """
    return (window_ratio(price_change, abs(price_change), n=20, flat=0.0) - balance(20)) / 2


@feature(n=(20,))
def accumulation_distribution(n: int) -> Expr:
    """Change of the accumulation/distribution line over n bars as a share of their volume; 0 without any.

    Unit: -1..1. Source: Chaikin money flow.
    """
    return window_ratio(location * volume, volume, n=n, flat=0.0)


@feature(n=(14,))
def mfi(n: int) -> Expr:
    """Money flow of bars whose typical price rose as a share of all that moved; one half where none did.

    Unit: 0..1. Source: Quong and Soudack (1989).
    """
    moved = typical_price / lag(typical_price, 1) - 1
    direction = ratio(moved, abs(moved), least=ROUNDING)  # thirds are rounded: equal averages of other prices may differ in the last digit
    flow = typical_price * volume
    return 0.5 + window_ratio(direction * flow, abs(direction) * flow, n=n, flat=0.0) / 2


@feature(n=(60,))
def vwap_distance(n: int) -> Expr:
    """Close minus the volume-weighted average price of n bars. Unit: typical ranges of a bar. Source: Berkowitz, Logue and Noser (1988)."""
    return in_ranges(close - rolling_vwap(n))


@feature
def vwap_session_distance() -> Expr:
    """Close minus the volume-weighted average price since the session's open.

    Unit: typical ranges of a bar. Source: Berkowitz, Logue and Noser (1988).
    """
    return in_ranges(close - session_vwap(typical_price, weight, session).average)


@feature
def vwap_session_band() -> Expr:
    """Close minus the session's volume-weighted average price, in weighted deviations of at least a quarter of a typical range.

    Unit: standard deviations. Source: common definition, VWAP bands.
    """
    anchored = session_vwap(typical_price, weight, session)
    return (close - anchored.average) / maximum(anchored.deviation, typical_range() / 4)


@feature(n=(13,))
def force_index(n: int) -> Expr:
    """Change of the close, weighted by volume, over n bars. Unit: typical ranges of a bar. Source: Elder (1993), over the volume."""
    return in_ranges(window_ratio(price_change * volume, volume, n=n, flat=0.0))


@feature(n=(30,))
def volume_range_correlation(n: int) -> Expr:
    """Correlation of volume and range over n bars; 0 where one stands still. Unit: -1..1. Source: Karpoff (1987)."""
    return pair(high - low, volume, n=n).correlation


@feature(n=(30,))
def volume_return_correlation(n: int) -> Expr:
    """Correlation of volume and the change of the close over n bars; 0 where one stands still. Unit: -1..1. Source: Karpoff (1987)."""
    return pair(price_change, volume, n=n).correlation


@feature(n=(60, 240), bins=(24,))
def volume_profile_control_distance(n: int, bins: int) -> Expr:
    """Close minus the price at which most was traded in n bars.

    Unit: typical ranges of a bar. Source: Steidlmayer (1984), point of control.
    """
    return in_ranges(close - profile(n, bins).point_of_control)


@feature(n=(60, 240), bins=(24,))
def volume_profile_position(n: int, bins: int) -> Expr:
    """Where the close lies in the value area, the prices about the busiest that hold 70 % of the volume.

    Unit: 0..1 inside. Source: Steidlmayer (1984).
    """
    area = profile(n, bins)
    return position(close, area.value_low, area.value_high)


@feature(n=(60,), bins=(24,))
def volume_profile_width(n: int, bins: int) -> Expr:
    """Height of the value area. Unit: typical ranges of a bar. Source: Steidlmayer (1984)."""
    area = profile(n, bins)
    return in_ranges(area.value_high - area.value_low)
