"""Sharpe ratios against the papers' own examples."""

from __future__ import annotations

import math

import pytest

from barsmith.errors import DataError
from barsmith.metrics.significance import (
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_backtest_years,
    minimum_track_record,
    probabilistic_sharpe,
)

HEDGE_FUND = 1.585 / math.sqrt(12)


def test_the_hedge_fund_example_has_a_probability_of_91_percent():
    """Source: Bailey & Lopez de Prado (2012); the excess kurtosis would give .920."""
    assert probabilistic_sharpe(HEDGE_FUND, observations=24, skew=-2.448, kurtosis=10.164) == pytest.approx(0.9132343068848602, rel=1e-12)
    assert probabilistic_sharpe(HEDGE_FUND, observations=24) == pytest.approx(0.9815912360834967, rel=1e-12)


def test_the_best_of_a_hundred_coins_is_two_and_a_half_deviations_high():
    """Source: Bailey & Lopez de Prado (2014)."""
    assert expected_maximum_sharpe(100) == pytest.approx(2.5306028932016846, rel=1e-12)
    assert expected_maximum_sharpe(100, variance=0.25) == pytest.approx(2.5306028932016846 / 2, rel=1e-12)
    assert expected_maximum_sharpe(1) == 0.0


def test_the_deflated_example_falls_to_90_percent():
    """Source: Bailey & Lopez de Prado (2014), section on the numerical example."""
    assert expected_maximum_sharpe(100, variance=0.5 / 250) == pytest.approx(0.11317200186513214, rel=1e-12)
    value = deflated_sharpe(2.5 / math.sqrt(250), observations=1250, trials=100, variance=0.5 / 250, skew=-3, kurtosis=10)
    assert value == pytest.approx(0.9003968344493903, rel=1e-12)


@pytest.mark.parametrize(("periods", "years"), [(250, 2.731187801728176), (252, 2.7309842751596634), (52, 2.828833586945237)])
def test_the_track_record_that_tells_two_from_one_takes_two_and_three_quarter_years(periods, years):
    """Source: Bailey & Lopez de Prado (2012), normal returns, 95 percent."""
    observations = minimum_track_record(2 / math.sqrt(periods), benchmark=1 / math.sqrt(periods))
    assert observations / periods == pytest.approx(years, rel=1e-12)


def test_the_minimum_track_record_is_where_the_probability_reaches_the_confidence():
    shape = {"skew": -1.0, "kurtosis": 6.0, "benchmark": 0.05}
    observations = minimum_track_record(0.15, confidence=0.9, **shape)
    assert probabilistic_sharpe(0.15, observations=math.ceil(observations), **shape) >= 0.9
    assert probabilistic_sharpe(0.15, observations=math.floor(observations), **shape) < 0.9
    assert minimum_track_record(0.05, **shape) == math.inf


def test_45_trials_need_five_years():
    """Source: Bailey et al. (2014)."""
    assert minimum_backtest_years(45) == pytest.approx(4.998087004443404, rel=1e-12)
    assert minimum_backtest_years(45, expected_maximum=2.0) == pytest.approx(4.998087004443404 / 4, rel=1e-12)


def test_moments_that_no_distribution_has_are_refused():
    with pytest.raises(DataError, match="not the excess"):
        probabilistic_sharpe(1.0, observations=100, skew=2.0, kurtosis=0.0)
    with pytest.raises(DataError, match="two observations"):
        probabilistic_sharpe(1.0, observations=1)
