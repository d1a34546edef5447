"""Fixed-horizon labels by hand and by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rungs import minutes_of, random_minutes, rung_of

from barsmith.errors import DataError, UsageError
from barsmith.labels.barriers import wilder_atr
from barsmith.labels.fixed_horizon import fixed_horizon
from barsmith.labels.outcomes import Barriers

FLAT = [100.0, 100.0, 100.0, 100.0]


def label(closes: list[float]) -> tuple[int, float]:
    """Of a flat bar followed by these closes, one minute each, all opened at 100; thresholds 2 up and 1 down."""
    path = [[100, max(100, c) + 5, min(100, c) - 5, c] for c in closes]
    minutes = minutes_of(list(range(1 + len(path))), [FLAT, *path])
    base = rung_of(minutes, 1)
    of = fixed_horizon(minutes, base, np.ones(len(base)), barriers={2: Barriers(2.0, 1.0, 2)})[2]
    assert of.label_end[0] == 3, "the end of the second bar, whatever happened within"
    return int(of.label[0]), float(of.log_return[0])


@pytest.mark.parametrize(("close", "expected"), [(102.25, 1), (102.0, 0), (99.0, 0), (98.75, -1), (100.0, 0)])
def test_only_the_last_close_counts_and_a_threshold_that_is_just_reached_is_neutral(close, expected):
    assert label([150.0, close]) == (expected, math.log(close / 100))


def test_the_labels_equal_a_plain_loop():
    minutes = random_minutes(3, n=500, contracts=2)
    base = rung_of(minutes)
    atr, k_up, k_down = wilder_atr(base), 0.8, 0.5
    for horizon, of in fixed_horizon(minutes, base, atr, barriers={h: Barriers(k_up, k_down, h) for h in (3, 8)}).items():
        for t in range(len(base)):
            last = t + horizon
            has = last < len(base) and base.contract[last] == base.contract[t] and not math.isnan(atr[t])
            assert of.has_label[t] == has
            if not has:
                continue
            entry, high, low = minutes.bars[base.first[t + 1], 0], base.bars[t + 1 : last + 1, 1], base.bars[t + 1 : last + 1, 2]
            move = base.bars[last, 3] - entry
            assert of.label[t] == (1 if move > k_up * atr[t] else -1 if move < -k_down * atr[t] else 0)
            assert of.label_end[t] == base.end[last]
            rise, fall = (max(high.max(), entry) - entry) / atr[t], (entry - min(low.min(), entry)) / atr[t]
            assert (of.mfe[t], of.mae[t]) == pytest.approx((fall, rise) if of.label[t] < 0 else (rise, fall))
            assert of.log_return[t] == pytest.approx(math.log(base.bars[last, 3] / entry))


def test_only_events_have_labels():
    minutes = random_minutes(4)
    base = rung_of(minutes)
    is_event = np.arange(len(base)) % 7 == 0
    of = fixed_horizon(minutes, base, np.ones(len(base)), barriers={5: Barriers(1.0, 1.0, 5)}, is_event=is_event)[5]
    assert np.array_equal(of.has_label, is_event & (np.arange(len(base)) < len(base) - 5))
    with pytest.raises(DataError, match="for more events") as caught:
        fixed_horizon(minutes, base, np.ones(len(base)), barriers={5: Barriers(1.0, 1.0, 5)}, is_event=np.zeros(len(base), bool))
    assert caught.value.code == "labels/no-future"


def test_a_threshold_of_zero_is_refused():
    minutes = random_minutes(5, n=100)
    base = rung_of(minutes)
    with pytest.raises(UsageError, match="k_up above 0"):
        fixed_horizon(minutes, base, np.ones(len(base)), barriers={5: Barriers(0.0, 1.0, 5)})
