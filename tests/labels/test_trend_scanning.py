"""Trend-scanning labels against ordinary least squares of statsmodels, as the book's snippet has them."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from rungs import minutes_of, random_minutes, rung_of

from barsmith.errors import UsageError
from barsmith.labels.trend_scanning import trend_scanning, trend_values


def t_of_slope(closes: np.ndarray) -> float:
    """Lopez de Prado (2020), snippet 5.1."""
    import statsmodels.api as sm

    x = np.ones((len(closes), 2))
    x[:, 1] = np.arange(len(closes))
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore")
        return float(sm.OLS(closes, x).fit().tvalues[1])


def test_the_window_whose_t_value_is_furthest_from_zero_wins_as_in_the_book():
    close = 400.0 + np.cumsum(np.random.default_rng(1).normal(size=80))
    last = np.minimum(np.arange(80) + 12, 79)
    t_value, bars = trend_values(close, last, 3)
    for t in range(76):
        candidates = {w: t_of_slope(close[t : t + w + 1]) for w in range(3, last[t] - t + 1)}
        best = max(candidates, key=lambda w: abs(candidates[w]))
        assert bars[t] == best
        assert t_value[t] == pytest.approx(candidates[best], rel=1e-6)
    assert np.isnan(t_value[-3:]).all()
    assert (bars[-3:] == 0).all(), "fewer than three bars follow"


def test_the_t_value_of_four_closes_by_hand():
    # y = 0, 1, 1, 2 on x = 0..3: slope 3/5, residuals -.1 .3 -.3 .1, their squares .2, over 2 degrees and 5: se = sqrt(.02)
    t_value, bars = trend_values(np.array([50.0, 51.0, 51.0, 52.0]), np.array([3, -1, -1, -1]), 3)
    assert t_value[0] == pytest.approx(0.6 / math.sqrt(0.02))
    assert bars[0] == 3


def test_a_straight_line_is_infinitely_sure_and_a_flat_one_is_no_trend():
    rise, fall, flat = (np.array([100.0, 100.0 + d, 100.0 + 2 * d, 100.0 + 3 * d]) for d in (0.25, -0.25, 0.0))
    for close, expected in ((rise, math.inf), (fall, -math.inf), (flat, 0.0)):
        assert trend_values(close, np.array([3, -1, -1, -1]), 2)[0][0] == expected


def prices(closes: list[float]) -> list[list[float]]:
    opens = [closes[0], *closes[:-1]]
    return [[o, max(o, c), min(o, c), c] for o, c in zip(opens, closes, strict=True)]


def test_the_label_is_known_when_the_longest_window_is_over_and_the_return_runs_so_long():
    closes = [100.0, 101.0, 102.0, 103.0, 104.0, 99.0, 99.0]  # the best line ends at the fourth bar, the price falls after
    minutes = minutes_of(list(range(7)), prices(closes))
    base = rung_of(minutes, 1)
    of = trend_scanning(minutes, base, np.ones(7), max_bars={6: 6}, min_bars=2)[6]
    assert trend_values(np.array(closes), np.array([6, *[-1] * 6]), 2)[1][0] < 6
    assert (of.label[0], of.label_end[0]) == (1, 7)
    assert of.log_return[0] == math.log(99 / 100), "entered at 100; leaving at the winner's end would look ahead"
    assert (of.mfe[0], of.mae[0]) == (4.0, 1.0)


def test_a_trend_below_the_t_value_asked_for_is_neutral():
    minutes = random_minutes(7, n=400)
    base = rung_of(minutes)
    free, strict = (trend_scanning(minutes, base, np.ones(len(base)), max_bars={8: 8}, min_t=t)[8] for t in (0.0, 6.0))
    t_value, _ = trend_values(base.bars[:, 3], np.where(free.has_label, np.arange(len(base)) + 8, -1), 3)
    known = free.has_label
    assert np.array_equal(free.label[known], np.sign(t_value[known]))
    assert np.array_equal(strict.label[known], np.where(np.abs(t_value[known]) >= 6.0, np.sign(t_value[known]), 0))
    assert 0 < (strict.label[known] == 0).sum() < known.sum()


@pytest.mark.parametrize(("min_bars", "max_bars"), [(1, 5), (6, 5)])
def test_a_shortest_window_that_is_none_or_longer_than_the_longest_is_refused(min_bars, max_bars):
    minutes = random_minutes(8, n=100)
    base = rung_of(minutes)
    with pytest.raises(UsageError, match="trend_min_bars") as caught:
        trend_scanning(minutes, base, np.ones(len(base)), max_bars={5: max_bars}, min_bars=min_bars)
    assert caught.value.code == "labels/settings"
