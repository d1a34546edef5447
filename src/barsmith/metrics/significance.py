"""What a Sharpe ratio proves, given its length, its shape and the number of trials it was chosen from.

Sharpe ratios here are per observation, never annual: divide an annual one by the square root of the observations a year.
Kurtosis is the plain fourth moment, 3 for a normal distribution; the excess would flatter.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from barsmith.errors import DataError

EULER_GAMMA = float(np.euler_gamma)
_NORMAL = NormalDist()


def probabilistic_sharpe(sharpe: float, *, observations: int, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above the benchmark.

    Raises DataError `metrics/moments`. Source: Bailey & Lopez de Prado (2012).
    """
    if observations < 2:
        raise DataError("metrics/moments", expected="two observations or more", came=str(observations), do="bring a longer track record")
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt((observations - 1) / _variance(sharpe, skew, kurtosis)))


def expected_maximum_sharpe(trials: int, *, variance: float = 1.0) -> float:
    """The best Sharpe ratio that `trials` independent strategies without skill are expected to show; 0 for one.

    variance: of the trials' Sharpe ratios. Source: Bailey & Lopez de Prado (2014), with Euler's constant.
    """
    if trials < 2:
        return 0.0
    highest = (1.0 - EULER_GAMMA) * _NORMAL.inv_cdf(1.0 - 1.0 / trials) + EULER_GAMMA * _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * highest


def deflated_sharpe(sharpe: float, *, observations: int, trials: int, variance: float, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """Probability that the true Sharpe ratio is above what the best of `trials` would show without skill.

    variance: of the trials' Sharpe ratios, per observation. Source: Bailey & Lopez de Prado (2014).
    """
    benchmark = expected_maximum_sharpe(trials, variance=variance)
    return probabilistic_sharpe(sharpe, observations=observations, skew=skew, kurtosis=kurtosis, benchmark=benchmark)


def minimum_track_record(
    sharpe: float, *, benchmark: float = 0.0, confidence: float = 0.95, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Observations after which the Sharpe ratio is above the benchmark with this confidence; infinite where it is not above it.

    Source: Bailey & Lopez de Prado (2012).
    """
    if sharpe <= benchmark:
        return math.inf
    return 1.0 + _variance(sharpe, skew, kurtosis) * (_NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2


def minimum_backtest_years(trials: int, *, expected_maximum: float = 1.0) -> float:
    """Years of data below which `trials` strategies without skill are expected to show an annual Sharpe ratio of `expected_maximum`.

    Source: Bailey, Borwein, Lopez de Prado & Zhu (2014).
    """
    return (expected_maximum_sharpe(trials) / expected_maximum) ** 2


def _variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """Of the estimated Sharpe ratio, times observations - 1."""
    variance = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if not variance > 0.0:
        raise DataError(
            "metrics/moments",
            expected="a kurtosis of at least 1 + skew^2, as every distribution has",
            came=f"skew {skew:g} and kurtosis {kurtosis:g}",
            do="pass the plain kurtosis (3 for a normal distribution), not the excess",
        )
    return variance
