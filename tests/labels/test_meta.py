"""Meta-labels by hand, and against a mirror: a short trade is a long one in the market upside down."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rungs import minutes_of, random_minutes, rung_of

from barsmith.labels.barriers import triple_barrier
from barsmith.labels.meta import meta_labels
from barsmith.labels.outcomes import Labels, default_barriers
from barsmith.labels.weights import pain_to_gain, quality_scores

FLAT = [100.0, 100.0, 100.0, 100.0]


def trade(side: int, *path: list[float]) -> Labels:
    """A flat bar with a signal, then `path`, a minute each: profit 2 away, stop 1 away, two bars of patience."""
    minutes = minutes_of(list(range(1 + len(path))), [FLAT, *path])
    sides = np.array([side, *[0] * len(path)], np.int8)
    of = triple_barrier(minutes, rung_of(minutes, 1), np.ones(len(sides)), barriers=default_barriers(2.0, 1.0, (2,)), side=sides)[2]
    return meta_labels(of, sides)


def told(of: Labels) -> tuple[int, float, float, float, float]:
    assert of.has_label.tolist() == [True] + [False] * (len(of) - 1)
    return int(of.label[0]), float(of.log_return[0]), float(of.mfe[0]), float(of.mae[0]), float(quality_scores(of)[0])


def test_a_long_trade_that_reaches_its_profit_paid():
    assert told(trade(1, [100, 101, 99.5, 100], [100, 102, 100, 102])) == (1, math.log(1.02), 2.0, 0.5, 1 / 1.5)


def test_a_short_trade_has_its_profit_below_and_its_stop_above():
    assert told(trade(-1, [100, 100.5, 98.5, 99], [99, 99, 98, 98])) == (1, -math.log(0.98), 2.0, 0.5, 1 / 1.5)
    label, gain, mfe, mae, quality = told(trade(-1, [100, 101, 99, 101], FLAT))
    assert (label, gain, mfe, mae) == (0, -math.log(1.01), 1.0, 1.0), "1 above is the stop"
    assert quality == 1 / (1 + (1 / 2) / (1 / 1)), "a loss is cleaner the less went for it: half a profit against a whole stop"


@pytest.mark.parametrize(("side", "close", "paid"), [(1, 100.25, 1), (1, 100.0, 0), (1, 99.75, 0), (-1, 100.25, 0), (-1, 99.75, 1)])
def test_a_trade_whose_time_is_over_paid_where_it_gained(side, close, paid):
    of = trade(side, [100, 100.5, 99.5, 100], [100, 100.5, 99.5, close])
    assert (of.label[0], of.label_end[0]) == (paid, 3)
    assert of.log_return[0] == pytest.approx(side * math.log(close / 100))


def test_a_minute_that_touches_both_did_not_pay_whatever_its_close():
    of = trade(1, [100, 103, 98, 103], FLAT)
    assert (of.label[0], of.tie[0]) == (0, True)


def test_bars_without_a_signal_are_not_asked():
    minutes = random_minutes(9)
    base = rung_of(minutes)
    side = np.random.default_rng(9).integers(-1, 2, len(base)).astype(np.int8)
    of = meta_labels(triple_barrier(minutes, base, np.ones(len(base)), barriers=default_barriers(2.0, 1.0, (5,)), side=side)[5], side)
    assert np.array_equal(of.has_label, (side != 0) & (np.arange(len(base)) < len(base) - 5))
    assert set(np.unique(of.label[of.has_label])) == {0, 1}


def test_a_short_trade_is_a_long_one_in_the_market_upside_down():
    minutes = random_minutes(10)
    upside_down = minutes.bars.copy()
    upside_down[:, :4] = 1000.0 - minutes.bars[:, [0, 2, 1, 3]]
    mirror = type(minutes)(minutes.time, upside_down, minutes.contract, minutes.factor)
    base, turned = rung_of(minutes), rung_of(mirror)
    ones = np.ones(len(base), np.int8)
    short, long = (
        meta_labels(triple_barrier(m, b, np.ones(len(b)), barriers=default_barriers(1.5, 1.0, (6,)), side=s * ones)[6], s * ones)
        for m, b, s in ((minutes, base, -1), (mirror, turned, 1))
    )
    for name in ("label", "has_label", "label_end", "tie"):
        assert np.array_equal(getattr(short, name), getattr(long, name)), name
    for name in ("mae", "mfe"):
        assert getattr(short, name) == pytest.approx(getattr(long, name), nan_ok=True), name
    assert pain_to_gain(short) == pytest.approx(pain_to_gain(long), nan_ok=True)
