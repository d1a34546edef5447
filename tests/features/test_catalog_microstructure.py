"""Microstructure features against the papers' formulas, and markets whose spread is known."""

from __future__ import annotations

import numpy as np
import pytest
from formulas import agree, average, bars_of, change, lagged, log_return, over_windows, quotient, share
from scipy.stats import norm
from single import read, read_expression

from barsmith.features import close, high, low, open_, volume
from barsmith.features.catalog.microstructure import bucket_imbalance, high_low_spread


def roll(b, n):
    def spread(w):
        m = w.mean(axis=1, keepdims=True)
        covariance = ((w[:, 1:] - m) * (w[:, :-1] - m)).sum(axis=1) / (w.shape[1] - 1)
        return 2 * np.sqrt(np.maximum(-covariance, 0))

    return over_windows(spread, log_return(b), n)


def corwin_schultz(b, n):
    """Corwin and Schultz (2012), equations 14 and 18, with their correction for gaps between bars."""
    high, low, before = b.high.copy(), b.low.copy(), lagged(b.close, 1)
    gap_up, gap_down = b.low > before, b.high < before
    high[gap_up] *= (before / b.low)[gap_up]
    low[gap_up] = before[gap_up]
    low[gap_down] *= (before / b.high)[gap_down]
    high[gap_down] = before[gap_down]
    h, l = lagged(b.high, 1), lagged(b.low, 1)
    beta = np.log(high / low) ** 2 + np.log(h / l) ** 2
    gamma = np.log(np.maximum(high, h) / np.minimum(low, l)) ** 2
    k = 3 - 2 * np.sqrt(2)
    alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / k - np.sqrt(gamma / k)
    return average(np.maximum(2 * (np.exp(alpha) - 1) / (1 + np.exp(alpha)), 0), n)


def abdi_ranaldo(b, n):
    close_, middle = np.log(b.close), (np.log(b.high) + np.log(b.low)) / 2
    product = (lagged(close_, 1) - lagged(middle, 1)) * (lagged(close_, 1) - middle)
    return np.sqrt(np.maximum(4 * average(product, n), 0))


def amihud(b, n):
    each = quotient(np.abs(log_return(b)), b.volume, 0)
    return (average(each, n) - average(each, 6 * n)) / (average(each, n) + average(each, 6 * n))


def kyle(b, n):
    r, signed = log_return(b), np.sign(log_return(b)) * b.volume
    out = np.full(len(r), np.nan)
    for t in range(n, len(r)):
        y, x = r[t - n + 1 : t + 1], signed[t - n + 1 : t + 1]
        slope = np.polyfit(x, y, 1)[0]
        out[t] = slope * b.volume[t - n + 1 : t + 1].mean() / np.abs(y).mean()
    return out


def bulk(b, n):
    r = log_return(b)
    scatter = np.sqrt(average(r**2, n))
    signed = b.volume * (2 * norm.cdf(quotient(r, scatter, 0)) - 1)
    return share(signed, b.volume, n), share(np.abs(signed), b.volume, n)


def vpin(b, n=200, buckets=50):
    """The bought less the sold of each bucket, read off the running sum of both at the buckets' edges."""
    scatter = np.sqrt(average(log_return(b) ** 2, 50))
    signed = b.volume * (2 * norm.cdf(quotient(log_return(b), scatter, 0)) - 1)
    out = np.full(len(signed), np.nan)
    for t in range(n + 50, len(out)):
        volume, flow = (np.concatenate([[0.0], np.cumsum(x[t - n + 1 : t + 1])]) for x in (b.volume, signed))
        edges = np.linspace(0, volume[-1], buckets + 1)
        out[t] = np.abs(np.diff(np.interp(edges, volume, flow))).sum() / volume[-1]
    return out


def location(b):
    return quotient((b.close - b.low) - (b.high - b.close), b.high - b.low, 0)


EXPECTED = {
    "roll_spread_48": lambda b: roll(b, 48),
    "corwin_schultz_spread_20": lambda b: corwin_schultz(b, 20),
    "abdi_ranaldo_spread_20": lambda b: abdi_ranaldo(b, 20),
    "amihud_20": lambda b: amihud(b, 20),
    "kyle_lambda_48": lambda b: kyle(b, 48),
    "order_flow_imbalance_20": lambda b: bulk(b, 20)[0],
    "order_flow_imbalance_60": lambda b: bulk(b, 60)[0],
    "order_flow_toxicity_50": lambda b: bulk(b, 50)[1],
    "order_flow_vpin_200_50": vpin,
    "close_location": location,
    "close_location_mean_10": lambda b: average(location(b), 10),
    "tick_imbalance_20": lambda b: average(np.sign(change(b.close)), 20),
    "zero_return_share_50": lambda b: average(np.where(np.isnan(change(b.close)), np.nan, change(b.close) == 0), 50),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_microstructure_feature_is_its_formula(name, ordinary):
    agree(ordinary, name, EXPECTED[name](bars_of(ordinary.bars["5m"])), tolerance=1e-7)


def bouncing(spread: float, n: int = 40_000) -> np.ndarray:
    """Trades at random on either side of a walk, `spread` apart (share of the price)."""
    random = np.random.default_rng(3)
    walk = np.cumsum(random.normal(scale=1e-4, size=n))
    return 100 * np.exp(walk + spread / 2 * random.choice([-1, 1], n))


def test_roll_finds_the_spread_between_bid_and_ask():
    found = read("roll_spread_48", close=bouncing(0.001))
    assert np.sqrt(np.mean(found[100:] ** 2)) == pytest.approx(0.001, rel=0.05)


def test_a_seesaw_of_one_percent_has_a_spread_of_one_percent():
    assert read("roll_spread_48", close=np.tile([100.0, 101.0], 50))[-1] == pytest.approx(2 * np.log(1.01), rel=0.02)


def test_two_bars_of_one_range_are_all_spread():
    """High over low is the spread in both and in the two together: beta is twice, gamma once its square."""
    found = read_expression(high_low_spread(high, low, close), high=[101.0, 101.0], low=[100.0, 100.0], close=[100.5, 100.5])
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1 / 100.5, rel=1e-4)


def test_a_gap_between_bars_is_taken_out_and_a_trend_within_them_is_not_spread():
    gap = read_expression(high_low_spread(high, low, close), high=[101.0, 103.0], low=[100.0, 102.0], close=[100.0, 103.0])
    assert gap[1] == pytest.approx(1 / 100.5, rel=0.05)  # as if the second bar had opened at 100
    trend = read_expression(high_low_spread(high, low, close), high=[101.0, 102.0], low=[100.0, 101.0], close=[101.0, 102.0])
    assert trend[1] == 0


@pytest.mark.parametrize("name", [n for n in EXPECTED if n != "zero_return_share_50"])
@pytest.mark.parametrize("lots", [0.0, 5.0])
def test_a_still_market_has_no_spread_and_no_side(name, lots):
    assert read(name, close=np.full(400, 4000.1), volume=np.full(400, lots))[-1] == 0


def test_a_still_market_is_illiquid():
    assert read("zero_return_share_50", close=np.full(100, 4000.1))[-1] == 1
    assert read("zero_return_share_50", close=np.arange(100.0, 200.0))[-1] == 0


def test_volume_on_rising_bars_is_bought():
    rising = read("order_flow_imbalance_20", close=100 * np.exp(np.arange(100) / 1000))[-1]
    assert rising == pytest.approx(2 * norm.cdf(1) - 1)  # every change is one deviation
    assert read("order_flow_toxicity_50", close=100 * np.exp(np.arange(200) / 1000))[-1] == pytest.approx(rising)


def test_buckets_of_equal_volume_by_hand():
    """Of 2, 4 and 6 lots, all bought, all sold, all bought, in three buckets of four: +2 -2, then -2 +2, then +4."""
    found = read_expression(bucket_imbalance(open_, volume, n=3, buckets=3), open=[2, -4, 6.0], volume=[2, 4, 6.0])
    assert np.isnan(found[:2]).all()
    assert found[2] == pytest.approx(4 / 12)
    assert read_expression(bucket_imbalance(open_, volume, n=3, buckets=2), open=[2, -4, 6.0], volume=[2, 4, 6.0])[2] == pytest.approx(
        8 / 12
    )


def test_a_bar_without_trades_belongs_to_no_bucket():
    found = read_expression(bucket_imbalance(open_, volume, n=4, buckets=2), open=[3, 0, -3, 0.0], volume=[3, 0, 3, 0.0])
    assert found[-1] == 1


def test_a_trend_fills_its_buckets_on_one_side():
    """Every change is one deviation, so every bucket is as one-sided as every bar."""
    rising = read("order_flow_vpin_200_50", close=100 * np.exp(np.arange(400) / 1000))[-1]
    assert rising == pytest.approx(2 * norm.cdf(1) - 1)
    seesaw = read("order_flow_vpin_200_50", close=np.tile([100.0, 101.0], 200))[-1]
    assert seesaw < 1e-9  # four bars a bucket, two of each side


def test_trading_that_moves_the_price_more_for_each_lot_is_illiquid():
    closes = np.tile([100.0, 101.0], 200)
    thin = np.concatenate([np.full(380, 100.0), np.full(20, 1.0)])
    assert read("amihud_20", close=closes, volume=thin)[-1] > 0.5
    assert abs(read("amihud_20", close=closes, volume=np.full(400, 7.0))[-1]) < 1e-12
