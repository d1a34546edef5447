"""Candle features bar by bar in plain Python, and pairs of bars one can draw."""

from __future__ import annotations

import numpy as np
import pytest
from formulas import agree, bars_of, share
from single import read


def interval(a, b):
    return min(a, b), max(a, b)


def overlap(one, two):
    return max(min(one[1], two[1]) - max(one[0], two[0]), 0)


def shares(b):
    """Engulfing, inside and outside, each bar and the one before it."""
    engulfing, inside, outside = (np.full(len(b.close), np.nan) for _ in range(3))
    for t in range(1, len(b.close)):
        now, before = interval(b.open[t], b.close[t]), interval(b.open[t - 1], b.close[t - 1])
        colour, colour_before = np.sign(b.close[t] - b.open[t]), np.sign(b.close[t - 1] - b.open[t - 1])
        opposite = colour * colour_before == -1
        engulfing[t] = colour * overlap(now, before) / (before[1] - before[0]) if opposite else 0
        height, height_before = b.high[t] - b.low[t], b.high[t - 1] - b.low[t - 1]
        common = overlap((b.low[t], b.high[t]), (b.low[t - 1], b.high[t - 1]))
        meets = b.low[t] <= b.high[t - 1] and b.low[t - 1] <= b.high[t]
        inside[t] = common / height if height else meets
        outside[t] = common / height_before if height_before else meets
    return engulfing, inside, outside


def run(b):
    colours, out = np.sign(b.close - b.open), np.zeros(len(b.close))
    for t in range(8, len(out)):
        length = 0
        while length < 8 and colours[t - length] == colours[t]:
            length += 1
        out[t] = colours[t] * length / 8
    return out


EXPECTED = {
    "candle_engulfing": lambda b: shares(b)[0],
    "candle_inside": lambda b: shares(b)[1],
    "candle_outside": lambda b: shares(b)[2],
    "candle_run": run,
    "candle_body_balance_10": lambda b: share(b.close - b.open, b.high - b.low, 10),
    "candle_shadow_balance_10": lambda b: share(
        np.minimum(b.open, b.close) - b.low - b.high + np.maximum(b.open, b.close), b.high - b.low, 10
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_candle_feature_is_its_formula(name, ordinary):
    agree(ordinary, name, EXPECTED[name](bars_of(ordinary.bars["5m"])))


def two(first, second):
    return {name: [a, b] for name, a, b in zip(("open", "high", "low", "close"), first, second, strict=True)}


@pytest.mark.parametrize(
    ("first", "second", "engulfing", "inside", "outside"),
    [
        ((104, 105, 99, 100), (100, 106, 98, 105), 1, 6 / 8, 1),  # falls 104 to 100, then rises 100 to 105 about it
        ((100, 105, 99, 104), (104, 104, 101, 101), -3 / 4, 1, 3 / 6),  # three quarters of a rise of four are taken back, inside the bar
        ((100, 105, 99, 104), (104, 110, 103, 109), 0, 2 / 7, 2 / 6),  # the same colour
        ((100, 102, 99, 101), (110, 112, 109, 109), 0, 0, 0),  # far above it
        ((100, 102, 99, 101), (101, 101, 101, 101), 0, 1, 0),  # one price, inside
        ((100, 102, 99, 101), (103, 103, 103, 103), 0, 0, 0),  # one price, outside
    ],
)
def test_two_bars_by_hand(first, second, engulfing, inside, outside):
    found = [read(f"candle_{name}", **two(first, second))[1] for name in ("engulfing", "inside", "outside")]
    assert found == pytest.approx([engulfing, inside, outside])


def test_a_run_counts_bars_of_one_colour_up_to_eight():
    closes = np.array([1, 1, 1, -1, -1, 0, 1, *[-1] * 10], float)
    found = read("candle_run", close=100 + closes, open=np.full(17, 100.0), high=np.full(17, 102.0), low=np.full(17, 98.0)) * 8
    assert found.tolist() == [1, 2, 3, -1, -2, 0, 1, -1, -2, -3, -4, -5, -6, -7, -8, -8, -8]


def test_bodies_that_all_rise_are_on_one_side_and_shadows_below_are_bought():
    bars = {"open": np.full(20, 100.0), "high": np.full(20, 104.0), "low": np.full(20, 98.0), "close": np.full(20, 103.0)}
    assert read("candle_body_balance_10", **bars)[-1] == pytest.approx(3 / 6)
    assert read("candle_shadow_balance_10", **bars)[-1] == pytest.approx((2 - 1) / 6)


@pytest.mark.parametrize("name", EXPECTED)
def test_bars_of_one_price_have_no_shape(name):
    expected = 1 if name in ("candle_inside", "candle_outside") else 0  # each lies within the other
    assert read(name, close=np.full(50, 4000.1))[-1] == expected
