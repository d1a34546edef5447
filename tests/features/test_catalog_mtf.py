"""Features of other timeframes: their formulas on that timeframe's bars, and the moment from which each bar is seen."""

from __future__ import annotations

import numpy as np
import pytest
from formulas import (
    agree,
    average,
    bars_of,
    change,
    deviation,
    highest,
    log_return,
    lowest,
    position,
    quotient,
    share,
    true_range,
)

from barsmith.config import TIMEFRAMES as LADDER
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue
from barsmith.testing.markets import SESSIONS, ordinary_minutes

TIMEFRAMES = ("1m", "15m", "30m", "1h", "4h", "1d")
BETWEEN = ("5m", "10m", "20m", "25m", "45m")
FEW = ("rsi_on", "bollinger_position_on", "trend_alignment")


def strength(b):
    step = change(b.close)
    up, down = average(np.maximum(step, 0), 14), average(np.maximum(-step, 0), 14)
    return quotient(up, up + down, 0.5)


def sma_slope_sign(b):
    """The sign of the average's slope, to the nearest billionth of the price: rounding is no slope."""
    slope = change(average(b.close, 10))
    return np.sign(np.where(np.abs(slope) < 1e-9 * b.close, 0, slope))


def volatility(b):
    return np.sqrt(average(log_return(b) ** 2, 10))


def location(b):
    return quotient((b.close - b.low) - (b.high - b.close), b.high - b.low, 0)


def bollinger(b):
    """NumPy's deviation of a flat window is its rounding: such a window is in the middle."""
    flat = highest(b.close, 20) == lowest(b.close, 20)
    spread = np.where(flat, 1, deviation(b.close, 20))
    return 0.5 + np.where(flat, 0, b.close - average(b.close, 20)) / (4 * spread)


ON = {
    "return_on": lambda b: change(b.close) / np.maximum(average(true_range(b), 10), 1e-5 * b.close),
    "rsi_on": strength,
    "bollinger_position_on": bollinger,
    "stochastic_on": lambda b: position(b.close, lowest(b.low, 14), highest(b.high, 14)),
    "realized_volatility_on": volatility,
    "log_volume_on": lambda b: np.log((b.volume + 1) / (average(b.volume, 10) + 1)),
    "trend_alignment": sma_slope_sign,
}


def seen(market, timeframe: str, values: np.ndarray) -> np.ndarray:
    """For each base bar the value of the timeframe's last bar that ends by the base bar's end."""
    out = np.full(len(market.ends["5m"]), np.nan)
    last = -1
    for i, end in enumerate(market.ends["5m"]):
        while last + 1 < len(values) and market.ends[timeframe][last + 1] <= end:
            last += 1
        out[i] = values[last] if last >= 0 else np.nan
    return out


def on(market, timeframe, formula):
    return seen(market, timeframe, formula(bars_of(market.bars[timeframe])))


EXPECTED = {
    **{f"{family}_{t}": lambda m, t=t, formula=formula: on(m, t, formula) for family, formula in ON.items() for t in TIMEFRAMES},
    **{f"{family}_{t}": lambda m, t=t, formula=ON[family]: on(m, t, formula) for family in FEW for t in BETWEEN},
    **{f"accumulation_on_{t}": lambda m, t=t: on(m, t, lambda b: share(location(b) * b.volume, b.volume, 10)) for t in ("1m", "15m", "1h")},
    "trend_alignment_all": lambda m: sum(on(m, t, sma_slope_sign) for t in ("5m", *TIMEFRAMES[1:])) / 6,
    **{f"rsi_{t}_divergence": lambda m, t=t: on(m, "5m", strength) - on(m, t, strength) for t in ("15m", "1h", "4h")},
    "trend_1h_4h_divergence": lambda m: (on(m, "1h", sma_slope_sign) - on(m, "4h", sma_slope_sign)) / 2,
    "volatility_15m_1h_divergence": lambda m: (
        (2 * on(m, "15m", volatility) - on(m, "1h", volatility)) / (2 * on(m, "15m", volatility) + on(m, "1h", volatility))
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_feature_of_another_timeframe_is_its_formula_as_of_the_base_bars_end(name, ordinary):
    agree(ordinary, name, EXPECTED[name](ordinary), tolerance=1e-6)


def test_every_timeframe_has_every_indicator():
    names = set(catalogue())
    assert {f"{family}_{t}" for family in ON for t in TIMEFRAMES} <= names
    assert set(TIMEFRAMES) | set(BETWEEN) == set(LADDER)
    assert {f"{family}_{t}" for family in FEW for t in LADDER} <= names


#: What is usual at a time of the day takes six sessions to know, 1728 bars; a hidden regime forgets its start after some more.
KNOW_USUAL = {"temporal", "regime"}


def test_no_feature_asks_for_more_than_twenty_days_or_sixty_bars_of_four_hours():
    for name, feature in catalogue().items():
        bars, timeframe = feature.warmup("5m")
        assert bars <= {"1d": 20, "4h": 60}.get(timeframe, 2100 if feature.group in KNOW_USUAL else 1000), name


@pytest.mark.parametrize(
    ("base", "left"),
    [("1m", {"15m", "1h", "4h"}), ("5m", {"15m", "1h", "4h"}), ("15m", {"1h", "4h"}), ("1h", {"4h"}), ("1d", set()),
     ("volume(threshold=5000.0)", {"15m", "1h", "4h"})],
)  # fmt: skip
def test_a_strength_diverges_only_from_that_of_longer_bars(base, left):
    names = set(catalogue(base=base))
    assert {t for t in ("15m", "1h", "4h") if f"rsi_{t}_divergence" in names} == left
    assert len(catalogue()) - len(names) == 3 - len(left)


def test_the_base_counts_once_in_the_alignment_of_all(ordinary):
    names = ["trend_alignment_all", *(f"trend_alignment_{t}" for t in ("15m", "30m", "1h", "4h", "1d"))]
    on_hours = catalogue(base="1h")
    reading = Plan({name: on_hours[name].expr for name in names}, base="1h", sessions=SESSIONS).read(ordinary.minutes)
    together, *each = reading.matrix[reading.first_settled.max() :].T
    assert len(together) > 100
    np.testing.assert_allclose(together, np.sum(each, axis=0) / 5, atol=1e-15)


def test_an_hours_value_changes_with_the_hours_close_and_at_no_other_bar(ordinary):
    changed = np.flatnonzero(np.diff(ordinary.column("return_on_1h")[2000:])) + 2001
    minute = ordinary.bars["5m"]["minute"][changed]
    assert len(changed) > 300
    assert (minute % 60 == 0).all()


def test_a_market_that_rises_on_every_timeframe_is_aligned():
    minutes = ordinary_minutes(16, seed=4)
    bars = minutes.bars.copy()
    bars[:, :4] = 1000 + 0.01 * np.arange(len(bars))[:, None]
    rising = type(minutes).of(minutes.time, bars)
    names = ["trend_alignment_all", "trend_alignment_1d", "rsi_on_4h", "stochastic_on_1h", "trend_1h_4h_divergence", "rsi_1h_divergence"]
    reading = Plan({name: catalogue()[name].expr for name in names}, base="5m", sessions=SESSIONS).read(rising)
    assert reading.matrix[-1].tolist() == pytest.approx([1, 1, 1, 1, 0, 0])


@pytest.mark.parametrize("base", ["1m", "15m", "1h"])
def test_another_base_reads_the_same_higher_bars(base, ordinary):
    plan = Plan({"rsi_on_4h": catalogue()["rsi_on_4h"].expr}, base=base, sessions=SESSIONS)
    reading = plan.read(ordinary.minutes)
    common, here, there = np.intersect1d(reading.base.end, ordinary.ends["5m"], return_indices=True)
    assert len(common) > 600
    assert np.array_equal(reading.matrix[here, 0], ordinary.column("rsi_on_4h")[there], equal_nan=True)
