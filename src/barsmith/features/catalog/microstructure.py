"""Microstructure: what bars tell about spreads, liquidity and who pressed the market."""

from __future__ import annotations

import math

import numpy as np

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, high, lag, log, low, maximum, sign, sqrt, volume
from barsmith.features.kernels import Kernel, average, kernel, mean, push
from barsmith.features.scale import location, log_change, ratio
from barsmith.features.windows import pair, window_ratio


@kernel(size=lambda n: n, settling=lambda n: n - 1)
def bounce(state: np.ndarray, params: tuple[float, ...], change: float) -> float:
    """Effective spread from the covariance of neighbouring changes; 0 where they do not bounce. Source: Roll (1984)."""
    push(state, change)
    covariance, m = 0.0, average(state)
    for i in range(1, len(state)):
        covariance += (state[i] - m) * (state[i - 1] - m)
    covariance /= len(state) - 1
    return 2.0 * math.sqrt(-covariance) if covariance < 0.0 else covariance * 0.0


@kernel(size=lambda: 3, settling=lambda: 1)
def high_low_spread(state: np.ndarray, params: tuple[float, ...], high: float, low: float, close: float) -> float:
    """Spread of one pair of bars, as a share of the price; a negative estimate is 0. Source: Corwin and Schultz (2012).

    A gap from the last close to a bar that does not reach it is taken out of that bar, as the paper does overnight.
    """
    high_before, low_before, close_before = state[0], state[1], state[2]
    state[0], state[1], state[2] = high, low, close
    if high_before != high_before:
        return math.nan
    top, bottom = high, low
    if low > close_before:
        top, bottom = high * (close_before / low), close_before
    elif high < close_before:
        top, bottom = close_before, low * (close_before / high)
    one, two = math.log(top / bottom), math.log(high_before / low_before)
    both = math.log(max(top, high_before) / min(bottom, low_before))
    root = 3.0 - 2.0 * math.sqrt(2.0)
    beta = one * one + two * two
    alpha = (math.sqrt(2.0 * beta) - math.sqrt(beta)) / root - both / math.sqrt(root)
    return 2.0 * (math.exp(alpha) - 1.0) / (1.0 + math.exp(alpha)) if alpha > 0.0 else 0.0


@kernel(size=lambda n: 3 * n, settling=lambda n: 2 * n - 2, outputs=("imbalance", "toxicity", "signed"))
def bulk_flow(state: np.ndarray, params: tuple[float, ...], change: float, volume: float) -> tuple[float, float, float]:
    """Bought minus sold volume of n bars as a share of all, and the bars' one-sidedness whatever its side; 0 without volume.

    signed: what was bought less what was sold in the newest bar, in lots. The bought share of a bar is the normal probability of its
    change in deviations of the last n changes.
    Source: Easley, Lopez de Prado and O'Hara (2012), bulk volume classification; their buckets are bars of time here.
    """
    n = len(state) // 3
    changes, signed, volumes = state[:n], state[n : 2 * n], state[2 * n :]
    push(changes, change)
    square = 0.0
    for v in changes:
        square += v * v
    deviation = math.sqrt(square / n)
    push(signed, volume * math.erf(change / deviation / math.sqrt(2.0)) if deviation != 0.0 else 0.0)
    push(volumes, volume)
    total, net, gross = 0.0, 0.0, 0.0
    for i in range(n):
        total += volumes[i]
        net += signed[i]
        gross += abs(signed[i])
    return (net / total, gross / total, signed[-1]) if total != 0.0 else (0.0, 0.0, signed[-1])


@kernel(size=lambda n, buckets: 2 * n, settling=lambda n, buckets: n - 1)
def bucket_imbalance(state: np.ndarray, params: tuple[float, ...], signed: float, volume: float) -> float:
    """One-sidedness of the last n bars' volume in buckets of equal volume; 0 without volume.

    A bucket holds the window's volume over `buckets`, and a bar that fills one goes on in the next with the rest of its lots. So every
    bucket is full and the value is that of these n bars alone. Source: Easley, Lopez de Prado and O'Hara (2012).
    """
    n, buckets = int(params[0]), params[1]
    flows, volumes = state[:n], state[n:]
    push(flows, signed)
    push(volumes, volume)
    total = 0.0
    for v in volumes:
        total += v
    if not total > 0.0:
        return total
    size, room, net, gross = total / buckets, total / buckets, 0.0, 0.0
    for i in range(n):
        flow, left = flows[i], volumes[i]
        if left > room:
            rate = flow / left
            while left > room:
                gross += abs(net + rate * room)
                left, room, net = left - room, size, 0.0
            flow = rate * left
        net += flow
        room -= left
    return (gross + abs(net)) / total


def flow(n: int) -> Kernel:
    return bulk_flow(log_change, volume, n=n)


@feature(n=(48,))
def roll_spread(n: int) -> Expr:
    """Effective spread from the bounce of n log returns; 0 where they do not bounce. Unit: share of the price. Source: Roll (1984)."""
    return bounce(log_change, n=n)


@feature(n=(20,))
def corwin_schultz_spread(n: int) -> Expr:
    """Average spread of n pairs of bars, from their highs and lows. Unit: share of the price. Source: Corwin and Schultz (2012)."""
    return mean(high_low_spread(high, low, close), n=n)


@feature(n=(20,))
def abdi_ranaldo_spread(n: int) -> Expr:
    """Spread from the closes and the middles of n bars and their followers; 0 for a negative estimate.

    Unit: share of the price. Source: Abdi and Ranaldo (2017).
    """
    middle = log((high * low) / (close * close)) / 2
    ago = lag(middle, 1)
    return 2 * sqrt(maximum(mean(ago * (middle + log_change), n=n), 0))


@feature(n=(20,))
def amihud(n: int) -> Expr:
    """Absolute log return a lot traded, of the last n bars against the last six times n: their difference over their sum; 0 in a flat
    market.

    Unit: -1..1. Source: Amihud (2002).
    """
    price_of_a_lot = ratio(abs(log_change), volume)
    recent, usual = mean(price_of_a_lot, n=n), mean(price_of_a_lot, n=6 * n)
    return ratio(recent - usual, recent + usual)


@feature(n=(48,))
def kyle_lambda(n: int) -> Expr:
    """Log return that a lot of signed volume brought in n bars, for the average volume and over the average absolute return; 0 in a flat
    market.

    Unit: ratio. Source: Kyle (1985), bars signed by their change.
    """
    slope = pair(log_change, sign(log_change) * volume, n=n).slope
    return slope * window_ratio(volume, abs(log_change), n=n, flat=0.0)


@feature(n=(20, 60))
def order_flow_imbalance(n: int) -> Expr:
    """Bought minus sold volume of n bars as a share of all, by bulk classification; 0 without any.

    Unit: -1..1. Source: Easley, Lopez de Prado and O'Hara (2012).
    """
    return flow(n).imbalance


@feature(n=(50,))
def order_flow_toxicity(n: int) -> Expr:
    """How one-sided the bars' volume was, whatever the side: VPIN with bars of time for buckets; 0 without volume.

    Unit: 0..1. Source: Easley, Lopez de Prado and O'Hara (2012).
    """
    return flow(n).toxicity


@feature(n=(200,), buckets=(50,))
def order_flow_vpin(n: int, buckets: int) -> Expr:
    """How one-sided the volume was in equal buckets of the volume of n bars, the bars bought and sold by their change in deviations of 50.

    A bucket's size follows the trailing volume: n bars' worth over the number of buckets. 0 without volume.
    Unit: 0..1. Source: Easley, Lopez de Prado and O'Hara (2012), VPIN with bulk classification.
    """
    return bucket_imbalance(flow(50).signed, volume, n=n, buckets=buckets)


@feature
def close_location() -> Expr:
    """Where the close lies in the bar: 1 at the high, -1 at the low, 0 for a bar of one price.

    Unit: -1..1. Source: Chaikin, close location value.
    """
    return location


@feature(n=(10,))
def close_location_mean(n: int) -> Expr:
    """Average place of the close in the last n bars. Unit: -1..1. Source: Chaikin, close location value."""
    return mean(location, n=n)


@feature(n=(20,))
def tick_imbalance(n: int) -> Expr:
    """Rising minus falling closes among n bars, as a share of them. Unit: -1..1. Source: tick rule, Lee and Ready (1991)."""
    return mean(sign(close - lag(close, 1)), n=n)


@feature(n=(50,))
def zero_return_share(n: int) -> Expr:
    """Share of n bars whose close did not change: an illiquid market. Unit: 0..1. Source: Lesmond, Ogden and Trzcinka (1999)."""
    return 1 - mean(abs(sign(close - lag(close, 1))), n=n)
