"""Statistics features against SciPy, NumPy, statsmodels and the papers' formulas, and series whose memory is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from formulas import agree, atr, average, bars_of, correlation, lagged, log_return, over_windows
from scipy import special, stats
from single import read, read_expression
from statsmodels.tsa.stattools import acf

from barsmith.features import close
from barsmith.features.catalog.statistics import fractional, order, scaling_exponent, weights_above


def fractional_difference(b, d=0.4, least=1e-4):
    """Binomial weights, those of at least `least`; prices counted from the oldest one that they reach."""
    weights = np.array([(-1) ** k * special.binom(d, k) for k in range(1000)])
    weights = weights[: int(np.argmax(np.abs(weights) < least))]
    return over_windows(lambda w: ((w - w[:, :1]) * weights[::-1]).sum(axis=1), np.log(b.close), len(weights))


def shannon(b, n=60, bins=9):
    changes = b.close / lagged(b.close, 1) - 1
    out = np.full(len(changes), np.nan)
    for t in range(n, len(out)):
        held, _ = np.histogram(changes[t - n + 1 : t + 1], bins=bins)
        out[t] = stats.entropy(held) / np.log(bins)
    return out


def permutations(b, n=60):
    """Each three closes by their sorted order, the earlier first where two are equal."""
    orders = list(itertools.permutations(range(3)))
    kind = np.zeros(len(b.close), int)
    for t in range(2, len(kind)):
        kind[t] = orders.index(tuple(np.argsort(b.close[t - 2 : t + 1], kind="stable")))
    return over_windows(lambda w: np.array([stats.entropy(np.bincount(row)) for row in w]) / np.log(6), kind, n - 1)


def hurst(b, n=120, spans=(1, 2, 4, 8, 16)):
    x, out = np.log(b.close), np.full(len(b.close), np.nan)
    for t in range(n, len(x)):
        window = x[t - n : t + 1]
        growth = [np.log(np.mean((window[q:] - window[:-q]) ** 2)) for q in spans]
        out[t] = np.clip(np.polyfit(np.log(spans), growth, 1)[0] / 2, 0, 1)
    return out


def quantile(x, n, share):
    return over_windows(lambda w: np.quantile(w, share, axis=1), x, n)


def rank(x, n):
    """Values within a hundred-millionth of the newest are its equals."""
    out = np.full(len(x), np.nan)
    for t in range(n - 1, len(x)):
        others = x[t - n + 1 : t]
        ties = np.isclose(others, x[t], rtol=1e-8, atol=0)
        out[t] = ((others < x[t]) & ~ties).mean() + ties.mean() / 2 if not np.isnan(others).any() else np.nan
    return out


def quantile_skew(b, n):
    low, middle, high = (quantile(log_return(b), n, share) for share in (0.1, 0.5, 0.9))
    return (high + low - 2 * middle) / (high - low)


EXPECTED = {
    "fractional_difference_0.4": fractional_difference,
    "shannon_entropy_60": shannon,
    "permutation_entropy_60": permutations,
    "hurst_exponent_120": hurst,
    **{f"autocorrelation_50_{q}": lambda b, q=q: correlation(log_return(b), lagged(log_return(b), q), 50) for q in (2, 5)},
    "volatility_clustering_50": lambda b: correlation(np.abs(log_return(b)), np.abs(lagged(log_return(b), 1)), 50),
    **{f"quantile_distance_50_{p}": lambda b, p=p: (b.close - quantile(b.close, 50, p / 100)) / atr(b) for p in (10, 50, 90)},
    "return_rank_100": lambda b: rank(log_return(b), 100),
    "return_quantile_range_100": lambda b: over_windows(lambda w: stats.iqr(w, axis=1), log_return(b), 100),
    "return_quantile_skew_100": lambda b: quantile_skew(b, 100),
    "volatility_rank_100": lambda b: rank(average(log_return(b) ** 2, 12), 100),
}


@pytest.fixture(scope="module")
def bars(ordinary):
    """The first bars: some of these formulas are slow."""
    return bars_of({name: column[:2500] for name, column in ordinary.bars["5m"].items()})


@pytest.mark.parametrize("name", EXPECTED)
def test_a_statistic_is_its_formula(name, ordinary, bars):
    expected = EXPECTED[name](bars)
    agree(ordinary.head(len(expected)), name, expected, tolerance=1e-7)


def random_walk(steps: np.ndarray) -> np.ndarray:
    return 4000 * np.exp(np.cumsum(steps) / 1000)


def test_a_difference_of_order_one_is_the_last_change_and_of_order_nought_the_way_from_the_oldest():
    x = [3.0, 5.0, 4.0, 8.0]
    assert read_expression(fractional(close, n=3, d=1.0), close=x)[2:].tolist() == [-1, 4]
    assert read_expression(fractional(close, n=3, d=0.0), close=x)[2:].tolist() == [1, 3]


def test_weights_are_kept_down_to_a_ten_thousandth():
    size = np.abs([special.binom(0.4, k) for k in range(400)])
    n = weights_above(0.4, 1e-4)
    assert n == 282
    assert (size[:n] >= 1e-4).all()
    assert size[n] < 1e-4


def test_a_fractional_difference_does_not_know_the_price_level():
    closes = random_walk(np.random.default_rng(2).normal(size=600))
    found, doubled = (read("fractional_difference_0.4", close=closes * factor)[300:] for factor in (1.0, 3.7))
    assert np.abs(found).min() > 0
    np.testing.assert_allclose(found, doubled, rtol=0, atol=1e-12)


def test_chance_is_disorder_and_a_seesaw_is_not():
    chance = random_walk(np.random.default_rng(4).normal(size=5000))
    assert np.nanmean(read("permutation_entropy_60", close=chance)) > 0.93
    assert read("permutation_entropy_60", close=np.arange(100.0, 200.0))[-1] == 0
    seesaw = read("permutation_entropy_60", close=np.tile([100.0, 101.0], 60))[-1]
    assert seesaw == pytest.approx(stats.entropy([29, 30]) / np.log(6))  # 59 triples of two kinds: low-high-low and high-low-high


def test_one_jump_among_sixty_returns_leaves_two_bins_of_nine():
    closes = np.full(100, 100.0)
    closes[80:] = 110
    assert read("shannon_entropy_60", close=closes)[-1] == pytest.approx(stats.entropy([59, 1]) / np.log(9))


def test_the_hurst_exponent_of_a_walk_is_one_half_of_a_line_one_and_of_a_seesaw_nought():
    walk = random_walk(np.random.default_rng(5).normal(size=40_000))
    assert np.nanmean(read("hurst_exponent_120", close=walk)) == pytest.approx(0.5, abs=0.03)
    assert read("hurst_exponent_120", close=100 * np.exp(np.arange(200) / 1000))[-1] == pytest.approx(1)
    assert read("hurst_exponent_120", close=np.tile([100.0, 101.0], 100))[-1] == 0


def test_a_persistent_fractional_noise_has_a_higher_exponent_than_a_walk():
    """Steps integrated to the order 0.3 have H = 0.8, differenced to it H = 0.2."""
    noise = np.random.default_rng(6).normal(size=20_000)
    for d, expected in ((0.3, 0.8), (-0.3, 0.2)):
        weights = np.array([(-1) ** k * special.binom(-d, k) for k in range(800)])
        steps = np.convolve(noise, weights)[800 : len(noise)]
        found = read_expression(scaling_exponent(close, n_and_spans=[500, 1, 2, 4, 8, 16]), close=np.cumsum(steps))
        assert np.nanmean(found) == pytest.approx(expected, abs=0.07)


def test_the_autocorrelation_is_that_of_statsmodels_but_for_the_ends_of_the_window():
    steps = np.sin(np.arange(400) * np.pi / 5) + np.random.default_rng(8).normal(scale=0.3, size=400)
    found = read("autocorrelation_50_5", close=random_walk(steps))[-1]
    expected = acf(steps[-55:], nlags=5, adjusted=True)[5]
    assert expected < -0.7  # five bars are half a wave
    assert found == pytest.approx(expected, abs=0.1)


def test_quantiles_and_rank_of_five_values_by_hand():
    """1, 2, 3, 4 and 10 in any order: the median 3, the quartiles 2 and 4, the tenths 1.4 and 7.6."""
    found = order(close, n=5)
    columns = {"close": [99.0, 10.0, 1.0, 4.0, 2.0, 3.0]}
    values = [read_expression(getattr(found, name), **columns)[-1] for name in found.outputs]
    assert values == pytest.approx([1.4, 2, 3, 4, 7.6, 0.5])
    assert np.isnan(read_expression(found.rank, **columns)[:4]).all()


def test_a_missing_value_leaves_the_sorted_window_whole():
    found = read_expression(order(close, n=3).median, close=[1, 5, 2, np.nan, 7, 8, 9, 4.0])
    np.testing.assert_array_equal(found, [np.nan, np.nan, 2, np.nan, np.nan, np.nan, 8, 8])


def test_the_newest_of_equal_values_is_in_the_middle_of_them():
    """Of 1, 1, 1, 2 the last: one is below... of 1, 2, 1 the last: no other is below, one of two is its equal."""
    rank_of = order(close, n=3).rank
    assert read_expression(rank_of, close=[1, 1, 1, 2.0])[2:].tolist() == [0.5, 1]
    assert read_expression(rank_of, close=[1, 2, 1.0])[-1] == 0.25


@pytest.mark.parametrize(
    ("name", "value"),
    [("fractional_difference_0.4", 0), ("shannon_entropy_60", 0), ("permutation_entropy_60", 0), ("hurst_exponent_120", 0.5),
     ("autocorrelation_50_2", 0), ("volatility_clustering_50", 0), ("quantile_distance_50_90", 0), ("return_rank_100", 0.5),
     ("return_quantile_range_100", 0), ("return_quantile_skew_100", 0), ("volatility_rank_100", 0.5)],
)  # fmt: skip
def test_a_still_market_has_the_statistic_that_is_said_for_it(name, value):
    assert read(name, close=np.full(900, 4000.1))[-1] == value


def test_a_wild_hour_after_a_calm_one_ranks_highest():
    random = np.random.default_rng(9)
    closes = random_walk(np.concatenate([random.normal(scale=0.1, size=300), random.normal(scale=1.0, size=12)]))
    assert read("volatility_rank_100", close=closes)[-1] == 1
