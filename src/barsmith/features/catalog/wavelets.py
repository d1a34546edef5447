"""Wavelets: trend, detail and noise of the close by causal filters, each value from this bar and earlier ones only."""

from __future__ import annotations

import numpy as np

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, lag
from barsmith.features.kernels import Kernel, kernel, mean, push
from barsmith.features.scale import in_ranges, ratio

LEVELS = (1, 2, 3)
#: Bars over which the energy of a level is measured.
ENERGY = 32


@kernel(
    size=lambda count, *taps: 7 * (int(count) - 1) + 3,
    settling=lambda count, *taps: 7 * (int(count) - 1),
    outputs=("detail_1", "detail_2", "detail_3", "trend"),
)
def wavelet(state: np.ndarray, params: tuple[float, ...], x: float) -> tuple[float, float, float, float]:
    """Stationary wavelet bands of three levels, one-sided: the detail that each level takes away, and the trend that is left.

    params: the number of low-pass taps, then the taps over their sum, in order of age. A level smooths what the one before
    left, with its taps 1, 2 and 4 bars apart. Source: Shensa (1992), the algorithm with holes.
    """
    taps, rest, start, gap = int(params[0]), x, 0, 1
    bands = np.empty(3)
    for level in range(3):
        window = state[start : start + gap * (taps - 1) + 1]
        push(window, rest)
        below = 0.0
        for k in range(taps):
            below += params[1 + k] * (window[len(window) - 1 - gap * k] - rest)
        bands[level] = -below
        rest, start, gap = rest + below, start + len(window), 2 * gap
    return bands[0], bands[1], bands[2], rest


def low_pass(name: str) -> list[float]:
    """Number of taps, and eight places for the taps over their sum, the front-loaded way round: the least delay."""
    import pywt

    taps = pywt.Wavelet(name).rec_lo
    return [float(len(taps)), *(tap / sum(taps) for tap in taps), *[0.0] * (8 - len(taps))]


def bands(name: str) -> Kernel:
    return wavelet(close, count_and_taps=low_pass(name))


def detail(name: str, level: int) -> Expr:
    found = bands(name)
    return in_ranges((found.detail_1, found.detail_2, found.detail_3)[level - 1])


def energy(name: str, level: int) -> Expr:
    return mean(detail(name, level) * detail(name, level), n=ENERGY)


@feature(wavelet=("db4", "haar"))
def wavelet_trend(wavelet: str) -> Expr:
    """Close minus its wavelet trend: all that three levels took away.

    Unit: typical ranges of a bar. Source: Daubechies (1992), Shensa (1992).
    """
    return in_ranges(close - bands(wavelet).trend)


@feature(wavelet=("db4", "haar"))
def wavelet_slope(wavelet: str) -> Expr:
    """Change of the wavelet trend over four bars. Unit: typical ranges of a bar. Source: Daubechies (1992), Shensa (1992)."""
    return in_ranges(bands(wavelet).trend - lag(bands(wavelet).trend, 4))


@feature(wavelet=("db4", "haar"), level=LEVELS)
def wavelet_detail(wavelet: str, level: int) -> Expr:
    """Movement of the close at one level's scale: 1 is noise, 3 is slow.

    Unit: typical ranges of a bar. Source: Daubechies (1992), Shensa (1992).
    """
    return detail(wavelet, level)


@feature(wavelet=("db4", "haar"), level=LEVELS)
def wavelet_energy(wavelet: str, level: int) -> Expr:
    """Share of one level in the squared details of 32 bars; one third in a flat market. Unit: 0..1. Source: Percival and Walden (2000)."""
    first, second, third = (energy(wavelet, each) for each in LEVELS)
    return ratio((first, second, third)[level - 1], first + second + third, flat=1 / 3)
