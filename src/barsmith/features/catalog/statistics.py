"""Statistics of the last bars: memory, disorder, scaling and quantiles of prices and returns."""

from __future__ import annotations

import math

import numpy as np

from barsmith.compiled import njit
from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, lag
from barsmith.features.kernels import Kernel, kernel, mean, push
from barsmith.features.scale import in_ranges, log_change, log_close, ratio
from barsmith.features.windows import pair

#: Weights of a fractional difference below this size are left out.
LEAST_WEIGHT = 1e-4
#: Values closer than this share of their size have one rank: what is left between them is rounding.
TIE = 1e-8
#: A return this close below the edge of a bin, in bins, belongs above it whatever its last digits.
EDGE = 1e-9
#: Bars over which the growth of moves is measured.
SPANS = (1, 2, 4, 8, 16)


@kernel(size=lambda n, d: 2 * n, settling=lambda n, d: n - 1)
def fractional(state: np.ndarray, params: tuple[float, ...], x: float) -> float:
    """Difference of order d over the last n, each measured from the oldest of them, so that the level does not count.

    The weights are those of (1 - L)^d, made at the first bar. Source: Lopez de Prado (2018), section 5.5, fixed width.
    """
    n, d = int(params[0]), params[1]
    window, weights = state[:n], state[n:]
    if weights[0] != weights[0]:
        weights[n - 1] = 1.0
        for k in range(1, n):
            weights[n - 1 - k] = -weights[n - k] * (d - k + 1.0) / k
    push(window, x)
    total = 0.0
    for i in range(n):
        total += weights[i] * (window[i] - window[0])
    return total


@njit(inline="always")
def entropy(counts: np.ndarray) -> float:
    """Of the shares that the counts have of their sum."""
    total, found = 0.0, 0.0
    for count in counts:
        total += count
    for count in counts:
        if count > 0.0:
            found -= count / total * math.log(count / total)
    return found


@njit(inline="always")
def mean_square(x: np.ndarray, bars: int) -> float:
    """Of the changes over some bars; three sums side by side, which the processor adds at once."""
    n = len(x) - bars
    a, b, c = 0.0, 0.0, 0.0
    for i in range(0, n - 2, 3):
        a += (x[i + bars] - x[i]) * (x[i + bars] - x[i])
        b += (x[i + 1 + bars] - x[i + 1]) * (x[i + 1 + bars] - x[i + 1])
        c += (x[i + 2 + bars] - x[i + 2]) * (x[i + 2 + bars] - x[i + 2])
    for i in range(n - n % 3, n):
        a += (x[i + bars] - x[i]) * (x[i + bars] - x[i])
    return (a + b + c) / n


@kernel(size=lambda n, bins: 2 * n + 9 + bins, settling=lambda n, bins: n, outputs=("returns", "order"))
def entropies(state: np.ndarray, params: tuple[float, ...], price: float) -> tuple[float, float]:
    """Entropy of the last n returns in equal bins between the smallest and the largest, and of the order of each three prices.

    Both as a share of the largest possible; 0 in a flat window. Equal prices count as rising with time.
    Sources: Shannon (1948); Bandt and Pompe (2002).
    """
    n, bins = int(params[0]), int(params[1])
    returns, orders = state[:n], state[n : 2 * n - 1]
    a, b = state[2 * n - 1], state[2 * n]
    push(returns, price / b - 1.0)
    push(orders, math.nan if a != a else (4.0 if a > b else 0.0) + (2.0 if b > price else 0.0) + (1.0 if a > price else 0.0))
    state[2 * n - 1], state[2 * n] = b, price
    if returns[0] != returns[0]:
        return math.nan, math.nan
    lowest, highest = returns[0], returns[0]
    for moved in returns:
        if moved < lowest:
            lowest = moved
        elif moved > highest:
            highest = moved
    filled, patterns = state[2 * n + 1 : 2 * n + 1 + bins], state[2 * n + 1 + bins : 2 * n + 9 + bins]
    filled[:] = 0.0
    patterns[:] = 0.0
    scale = bins / (highest - lowest) if highest > lowest else 0.0
    for moved in returns:
        filled[min(int((moved - lowest) * scale + EDGE), bins - 1)] += 1.0
    for each in orders:
        patterns[int(each)] += 1.0
    return entropy(filled) / math.log(bins), entropy(patterns) / math.log(6.0)


@kernel(size=lambda n, *spans: n + 1, settling=lambda n, *spans: n)
def scaling_exponent(state: np.ndarray, params: tuple[float, ...], x: float) -> float:
    """Half the slope of the logarithm of the mean squared change over q bars on that of q; 0..1, one half in a flat window.

    params: n, then each q. Source: Mandelbrot and van Ness (1968): the variance of fractional motion grows as q to the power of 2 H.
    """
    push(state, x)
    if state[0] != state[0]:
        return math.nan
    count, least, su, sv, suu, suv = len(params) - 1, 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(count):
        q = int(params[1 + j])
        square = mean_square(state, q)
        if j == 0:
            if square == 0.0:
                return 0.5
            least = 1e-9 * square  # a seesaw does not move at all over two bars
        u, v = math.log(q), math.log(max(square, least))
        su, sv, suu, suv = su + u, sv + v, suu + u * u, suv + u * v
    slope = (count * suv - su * sv) / (count * suu - su * su)
    return min(max(slope / 2.0, 0.0), 1.0)


@njit(inline="always")
def quantile(ranked: np.ndarray, share: float) -> float:
    """Of sorted values, linear between neighbours."""
    at = share * (len(ranked) - 1)
    below = min(int(at), len(ranked) - 2)
    return ranked[below] + (at - below) * (ranked[below + 1] - ranked[below])


@kernel(
    size=lambda n: 2 * n + 1,
    settling=lambda n: n - 1,
    outputs=("tenth", "quarter", "median", "three_quarters", "nine_tenths", "rank"),
)
def order(state: np.ndarray, params: tuple[float, ...], x: float) -> tuple[float, float, float, float, float, float]:
    """Quantiles of the last n, linear between neighbours, and the newest value's rank among them: 0 lowest, 1 highest, ties in the middle.

    A sorted copy of the window is kept: the oldest value leaves it, the newest enters.
    """
    n = int(params[0])
    window, ranked = state[:n], state[n : 2 * n]
    held = int(state[2 * n]) if state[2 * n] == state[2 * n] else 0
    x = x + 0.0  # one zero, not two
    if window[0] == window[0]:
        i = np.searchsorted(ranked[:held], window[0])
        for j in range(i, held - 1):
            ranked[j] = ranked[j + 1]
        held -= 1
    push(window, x)
    if x == x:
        i = held
        while i > 0 and ranked[i - 1] > x:
            ranked[i] = ranked[i - 1]
            i -= 1
        ranked[i] = x
        held += 1
    state[2 * n] = held
    if held < n:
        return math.nan, math.nan, math.nan, math.nan, math.nan, math.nan
    below, equal, slack = 0, 0, TIE * abs(x)
    for v in ranked:
        below += v < x - slack
        equal += abs(v - x) <= slack
    rank = (below + (equal - 1) / 2.0) / (n - 1.0)
    return quantile(ranked, 0.1), quantile(ranked, 0.25), quantile(ranked, 0.5), quantile(ranked, 0.75), quantile(ranked, 0.9), rank


def weights_above(d: float, least: float) -> int:
    """How many weights of a difference of order d are not smaller than `least` in size."""
    n, weight = 1, 1.0
    while abs(weight := weight * (n - 1 - d) / n) >= least:
        n += 1
    return n


def disorder(n: int) -> Kernel:
    return entropies(close, n=n, bins=9)


@feature(d=(0.4,))
def fractional_difference(d: float) -> Expr:
    """Logarithm of the close, differenced d times as far back as the weights are 0.0001 or more, from the window's oldest close on.

    Unit: log return. Source: Lopez de Prado (2018), section 5.5, fixed-width window.
    """
    return fractional(log_close, n=weights_above(d, LEAST_WEIGHT), d=d)


@feature(n=(60,))
def shannon_entropy(n: int) -> Expr:
    """How evenly n returns fill nine equal bins between the smallest and the largest: low where few moves stand out; 0 in a flat window.

    Unit: 0..1. Source: Shannon (1948).
    """
    return disorder(n).returns


@feature(n=(60,))
def permutation_entropy(n: int) -> Expr:
    """How evenly the six orders of three neighbouring closes come: 1 is chance, 0 always the same; 0 in a flat window.

    Unit: 0..1. Source: Bandt and Pompe (2002), order 3.
    """
    return disorder(n).order


@feature(n=(120,))
def hurst_exponent(n: int) -> Expr:
    """How the squared change grows from 1 to 16 bars in n bars: above one half moves go on, below they turn; one half in a flat window.

    Unit: 0..1. Source: Hurst (1951), Mandelbrot and van Ness (1968).
    """
    return scaling_exponent(log_close, n_and_spans=[n, *SPANS])


@feature(n=(50,), bars=(2, 5))
def autocorrelation(n: int, bars: int) -> Expr:
    """Correlation of n log returns with those some bars before; 0 where they stand still. Unit: -1..1. Source: Box and Jenkins (1970)."""
    return pair(log_change, lag(log_change, bars), n=n).correlation


@feature(n=(50,))
def volatility_clustering(n: int) -> Expr:
    """Correlation of n absolute log returns with those one bar before; 0 where they stand still. Unit: -1..1. Source: Ding, Granger and
    Engle (1993).
    """
    return pair(abs(log_change), lag(abs(log_change), 1), n=n).correlation


@feature(n=(50,), percent=(10, 50, 90))
def quantile_distance(n: int, percent: int) -> Expr:
    """Close minus a quantile of n closes: 10, 25, 50, 75 or 90 %. Unit: typical ranges of a bar. Source: Koenker and Bassett (1978)."""
    found = order(close, n=n)
    return in_ranges(
        close - {10: found.tenth, 25: found.quarter, 50: found.median, 75: found.three_quarters, 90: found.nine_tenths}[percent]
    )


@feature(n=(100,))
def return_rank(n: int) -> Expr:
    """Share of the other of n log returns that are below the bar's, ties counted half. Unit: 0..1. Source: Spearman (1904)."""
    return order(log_change, n=n).rank


@feature(n=(100,))
def return_quantile_range(n: int) -> Expr:
    """Distance between the quartiles of n log returns: a volatility that no single jump moves. Unit: log return. Source: Galton (1881)."""
    found = order(log_change, n=n)
    return found.three_quarters - found.quarter


@feature(n=(100,))
def return_quantile_skew(n: int) -> Expr:
    """How much farther the highest tenth of n log returns begins from their median than the lowest; 0 where all are one.

    Unit: -1..1. Source: Kelley (1947).
    """
    found = order(log_change, n=n)
    return ratio((found.nine_tenths - found.median) - (found.median - found.tenth), found.nine_tenths - found.tenth)


@feature(n=(100,))
def volatility_rank(n: int) -> Expr:
    """Rank of the mean squared log return of 12 bars among the last n of it, ties counted half. Unit: 0..1. Source: Spearman (1904)."""
    return order(mean(log_change * log_change, n=12), n=n).rank
