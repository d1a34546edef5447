"""Price features against their formulas, and facts about single bars."""

from __future__ import annotations

import numpy as np
import pytest
from formulas import agree, atr, bars_of, change, highest, lagged, log_return, lowest, position, quotient, zscore
from single import read

from barsmith.features.registry import catalogue

EXPECTED = {
    **{f"log_return_{n}": lambda b, n=n: np.log(b.close / lagged(b.close, n)) for n in (1, 2, 3, 6, 12, 24, 48)},
    "simple_return_5": lambda b: change(b.close, 5) / lagged(b.close, 5),
    **{f"price_move_{n}": lambda b, n=n: change(b.close, n) / atr(b) for n in (3, 12, 36)},
    "return_zscore_50": lambda b: zscore(log_return(b), 50),
    "close_zscore_50": lambda b: zscore(b.close, 50),
    "close_zscore_100": lambda b: zscore(b.close, 100),
    "bar_range": lambda b: (b.high - b.low) / atr(b),
    "high_low_ratio": lambda b: np.log(b.high / b.low),
    "close_open_ratio": lambda b: np.log(b.close / b.open),
    "high_open_ratio": lambda b: np.log(b.high / b.open),
    "low_open_ratio": lambda b: np.log(b.low / b.open),
    "body_share": lambda b: quotient(b.close - b.open, b.high - b.low, 0),
    "upper_shadow_share": lambda b: quotient(b.high - np.maximum(b.open, b.close), b.high - b.low, 0),
    "lower_shadow_share": lambda b: quotient(np.minimum(b.open, b.close) - b.low, b.high - b.low, 0),
    "open_gap": lambda b: (b.open - lagged(b.close, 1)) / atr(b),
    **{f"high_distance_{n}": lambda b, n=n: (b.close - highest(b.high, n)) / atr(b) for n in (20, 100)},
    **{f"low_distance_{n}": lambda b, n=n: (b.close - lowest(b.low, n)) / atr(b) for n in (20, 100)},
    "range_position_50": lambda b: position(b.close, lowest(b.low, 50), highest(b.high, 50)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_price_feature_is_its_formula(name, ordinary):
    agree(ordinary, name, EXPECTED[name](bars_of(ordinary.bars["5m"])))


BAR = {"open": [100.0], "high": [104.0], "low": [98.0], "close": [103.0]}


def test_the_parts_of_a_bar_fill_it():
    """Of 100, 104, 98, 103: a body of 3, a shadow of 1 above it and of 2 below, in a range of 6."""
    found = {name: read(name, **BAR)[0] for name in ("body_share", "upper_shadow_share", "lower_shadow_share")}
    assert found == {"body_share": 3 / 6, "upper_shadow_share": 1 / 6, "lower_shadow_share": 2 / 6}


@pytest.mark.parametrize("name", ["body_share", "upper_shadow_share", "lower_shadow_share", "high_low_ratio", "close_open_ratio"])
def test_a_bar_of_one_price_has_no_parts(name):
    assert read(name, open=[5.1], high=[5.1], low=[5.1], close=[5.1])[0] == 0


def test_a_price_that_doubled_in_six_bars_has_a_log_return_of_log_two():
    assert read("log_return_6", close=[1, 1, 1, 1, 1, 1, 2.0])[6] == np.log(2)
    assert read("simple_return_5", close=[1, 1, 1, 1, 1, 2.0])[5] == 1


def test_a_new_high_is_no_distance_from_it():
    steady = np.arange(100.0, 140.0)
    assert read("high_distance_20", close=steady)[-1] == 0
    assert read("low_distance_20", close=steady)[-1] == 19  # each bar moves 1, which is its true range
    assert read("range_position_50", close=np.arange(100.0, 160.0))[-1] == 1


def test_periods_can_be_chosen():
    found = catalogue(params={"log_return": {"n": [5, 7]}})
    assert {"log_return_5", "log_return_7"} <= set(found)
    assert "log_return_6" not in found
