"""Triple-barrier labels by hand, by brute force, and on the real bars."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rungs import minutes_of, random_minutes, rung_of

from barsmith.bars.ladder import Rung, ladder
from barsmith.bars.minutes import Minutes, minute_of
from barsmith.bars.sessions import load_sessions
from barsmith.errors import DataError, UsageError
from barsmith.labels.barriers import Labels, triple_barrier, wilder_atr
from barsmith.labels.outcomes import Barriers, default_barriers

FLAT = [100.0, 100.0, 100.0, 100.0]


def label_one(path: list[list[float]], *, step: int = 2, max_bars: int = 2, k_up: float = 2.0, k_down: float = 1.0) -> Labels:
    """Labels of a flat first bar of `step` minutes, ATR 1, followed by `path` minute by minute."""
    minutes = minutes_of(list(range(step + len(path))), [FLAT] * step + path)
    base = rung_of(minutes, step)
    return triple_barrier(minutes, base, np.ones(len(base)), barriers=default_barriers(k_up, k_down, (max_bars,)))[max_bars]


def test_the_entry_is_the_open_of_the_first_minute_of_the_next_bar_and_a_barrier_is_reached_by_equality():
    # entry 101, so the upper barrier is 103 and the lower 100
    of = label_one([[101, 101, 101, 101], [101, 102.75, 100.25, 102], [102, 103, 102, 102], FLAT])
    assert of.label[0] == 1
    assert of.label_end[0] == 5, "the third minute of the path opens at 4 and is known at 5"
    assert of.log_return[0] == math.log(103 / 101), "the barrier's price, not the close"
    assert (of.mfe[0], of.mae[0]) == (2.0, 0.75)


def test_the_lower_barrier_touched_first_is_short_and_the_excursions_turn_round():
    of = label_one([[100, 101.5, 99.5, 100], [100, 100, 98.5, 99], [105, 105, 105, 105], [105, 105, 105, 105]])
    assert (of.label[0], of.label_end[0]) == (-1, 4)
    assert of.log_return[0] == math.log(99 / 100)
    assert (of.mfe[0], of.mae[0]) == (1.5, 1.5), "1.5 down is for the short, 1.5 up against it"


def test_a_minute_that_touches_both_barriers_is_neutral_and_counted_as_a_tie():
    of = label_one([FLAT, [100, 102, 99, 101.5], FLAT, FLAT])
    assert (of.label[0], of.label_end[0], of.tie[0]) == (0, 4, True)
    assert of.log_return[0] == math.log(101.5 / 100), "that minute's close"
    assert of.counts()["ties"] == 1


def test_a_timeout_is_known_at_the_end_of_the_last_bar_even_if_its_last_minute_is_missing():
    minutes = minutes_of([0, 1, 2, 3, 4], [FLAT, FLAT, FLAT, FLAT, [100, 101, 99.5, 100.5]])
    base = rung_of(minutes, 2)  # the last bar covers [4, 6), its minute 5 never traded
    of = triple_barrier(minutes, base, np.ones(3), barriers=default_barriers(2.0, 1.0, (2,)))[2]
    assert (of.label[0], of.label_end[0], of.tie[0]) == (0, 6, False)
    assert of.log_return[0] == math.log(100.5 / 100)
    assert (of.mfe[0], of.mae[0]) == (1.0, 0.5)


def test_the_next_bar_is_the_next_one_that_exists_across_a_break():
    minutes = minutes_of([0, 1, 1000, 1001], [FLAT, FLAT, [103, 103, 103, 103], [103, 105, 103, 105]])
    of = triple_barrier(minutes, rung_of(minutes, 2), np.ones(2), barriers=default_barriers(2.0, 1.0, (1,)))[1]
    assert (of.label[0], of.label_end[0]) == (1, 1002), "the gap from 100 to 103 is before the entry at 103"


def test_the_last_bars_have_no_label_whatever_was_touched():
    of = label_one([FLAT, [100, 110, 100, 110], FLAT, FLAT], max_bars=2)
    assert of.has_label.tolist() == [True, False, False]
    assert of.counts() == {"short": 0, "neutral": 0, "long": 1, "ties": 0, "unlabelled": 2}


def test_a_roll_within_reach_of_the_patience_takes_the_label_even_after_an_early_touch():
    rise = [100.0, 110.0, 100.0, 100.0]
    minutes = minutes_of(list(range(6)), [FLAT, rise, rise, rise, FLAT, FLAT], [0, 0, 0, 0, 1, 1])
    of = triple_barrier(minutes, rung_of(minutes, 1), np.ones(6), barriers=default_barriers(1.0, 1.0, (1, 2)))
    assert of[1].has_label.tolist() == [True, True, True, False, True, False]
    assert of[2].has_label.tolist() == [True, True, False, False, False, False]
    assert of[1].label.tolist()[:3] == [1, 1, 1]


def test_the_bar_that_holds_the_change_belongs_to_the_new_contract():
    minutes = minutes_of(list(range(8)), [FLAT] * 8, [0, 0, 0, 1, 1, 1, 1, 1])
    of = triple_barrier(minutes, rung_of(minutes, 2), np.ones(4), barriers=default_barriers(1.0, 1.0, (1,)))[1]
    assert of.has_label.tolist() == [False, True, True, False]


def test_a_row_without_an_atr_has_no_label():
    minutes = minutes_of(list(range(4)), [FLAT] * 4)
    of = triple_barrier(minutes, rung_of(minutes, 1), np.array([np.nan, 1, 1, 1]), barriers=default_barriers(1.0, 1.0, (1,)))[1]
    assert of.has_label.tolist() == [False, True, True, False]


def test_an_atr_of_zero_is_a_tie_in_the_first_minute():
    minutes = minutes_of(list(range(3)), [FLAT] * 3)
    of = triple_barrier(minutes, rung_of(minutes, 1), np.zeros(3), barriers=default_barriers(1.0, 1.0, (1,)))[1]
    assert (of.label[0], of.tie[0], of.mae[0], of.mfe[0]) == (0, True, 0.0, 0.0)


def test_max_bars_is_the_horizon_unless_it_is_given_for_all_or_for_each():
    minutes = random_minutes(1)
    base = rung_of(minutes)
    atr = wilder_atr(base)
    by_itself = triple_barrier(minutes, base, atr, barriers=default_barriers(1.5, 1.0, (5, 10)))
    swapped = triple_barrier(minutes, base, atr, barriers={5: Barriers(1.5, 1.0, 10), 10: Barriers(1.5, 1.0, 5)})
    for_all = triple_barrier(minutes, base, atr, barriers=default_barriers(1.5, 1.0, (5, 10), 10))
    assert (by_itself[5].max_bars, swapped[5].max_bars, for_all[5].max_bars) == (5, 10, 10)
    assert np.array_equal(by_itself[10].label_end, swapped[5].label_end)
    assert np.array_equal(by_itself[5].label, swapped[10].label)
    assert np.array_equal(by_itself[10].log_return, for_all[5].log_return, equal_nan=True)
    assert list(swapped) == [5, 10]


def test_more_patience_only_turns_timeouts_into_touches():
    minutes = random_minutes(2)
    base = rung_of(minutes)
    of = triple_barrier(minutes, base, wilder_atr(base), barriers=default_barriers(2.0, 2.0, (5, 10, 15, 20)))
    for short, long in ((5, 10), (10, 15), (15, 20)):
        decided = of[long].has_label & ((of[short].label != 0) | of[short].tie)
        assert np.array_equal(of[short].label[decided], of[long].label[decided])
        assert np.array_equal(of[short].label_end[decided], of[long].label_end[decided])
        assert (of[long].label_end >= of[short].label_end)[of[long].has_label].all()


def test_wider_barriers_never_touch_earlier():
    minutes = random_minutes(3)
    base = rung_of(minutes)
    near, far = (triple_barrier(minutes, base, wilder_atr(base), barriers=default_barriers(k, k, (5,)))[5] for k in (1.0, 3.0))
    assert (far.label_end >= near.label_end).all()
    assert (far.label != 0).sum() < (near.label != 0).sum()


@pytest.mark.parametrize(
    "wrong",
    [
        {2: Barriers(0.0, 1.0, 2)},
        {2: Barriers(1.0, -1.0, 2)},
        {2: Barriers(math.nan, 1.0, 2)},
        {2: Barriers(1.0, math.inf, 2)},
        {},
        {0: Barriers(1.0, 1.0, 2)},
        {2: Barriers(1.0, 1.0, 0)},
    ],
)
def test_settings_that_make_no_barrier_are_refused(wrong):
    minutes = random_minutes(4, n=100)
    base = rung_of(minutes)
    with pytest.raises(UsageError, match="correct") as caught:
        triple_barrier(minutes, base, np.ones(len(base)), barriers=wrong)
    assert caught.value.code == "labels/settings"


def test_adjusted_base_bars_are_refused():
    minutes = random_minutes(6, n=100)
    base = rung_of(minutes)
    with pytest.raises(DataError, match="adjusted=False") as caught:
        triple_barrier(minutes, replace(base, bars=base.bars / 1.01), np.ones(len(base)), barriers=default_barriers(1.0, 1.0, (2,)))
    assert caught.value.code == "labels/adjusted"


def test_bars_without_any_future_are_an_error():
    minutes = minutes_of(list(range(6)), [FLAT] * 6)
    with pytest.raises(DataError, match="horizon 6: expected bars that are followed by 6 finished bars") as caught:
        triple_barrier(minutes, rung_of(minutes, 1), np.ones(6), barriers=default_barriers(1.0, 1.0, (2, 6)))
    assert caught.value.code == "labels/no-future"


def test_the_atr_is_wilders_and_missing_for_the_first_fourteen_bars():
    minutes = minutes_of(list(range(20)), [[100, 102, 99, 100]] * 20)
    assert np.isnan(wilder_atr(rung_of(minutes, 1)))[:14].all()
    assert np.array_equal(wilder_atr(rung_of(minutes, 1))[14:], np.full(6, 3.0)), "every true range is 102 - 99"
    assert np.isnan(wilder_atr(rung_of(minutes[:14], 1))).all()
    assert len(wilder_atr(rung_of(minutes[:1], 1))) == 1


def walk(minutes: Minutes, base: Rung, atr: np.ndarray, k_up: float, k_down: float, max_bars: int, t: int) -> tuple[object, ...] | None:
    """The definition of one row, minute by minute: label, label_end, log return, mae, mfe, tie."""
    future = range(t + 1, t + max_bars + 1)
    if math.isnan(atr[t]) or future[-1] >= len(base) or any(base.contract[j] != base.contract[t] for j in future):
        return None
    entry = float(minutes.bars[base.first[t + 1], 0])
    upper, lower, top, bottom = entry + k_up * atr[t], entry - k_down * atr[t], entry, entry
    label, tie, end, price = 0, False, int(base.end[future[-1]]), float(minutes.bars[base.last[future[-1]], 3])
    for i in range(base.first[t + 1], base.last[future[-1]] + 1):
        _, high, low, close, _ = minutes.bars[i]
        top, bottom = max(top, high), min(bottom, low)
        if high >= upper or low <= lower:
            tie = high >= upper and low <= lower
            label = 0 if tie else 1 if high >= upper else -1
            end, price = int(minutes.time[i]) + 1, float(close if tie else upper if label == 1 else lower)
            break
    rise, fall = ((top - entry) / atr[t], (entry - bottom) / atr[t]) if atr[t] else (0.0, 0.0)
    mfe, mae = (rise, fall) if label >= 0 else (fall, rise)
    return label, end, math.log(price / entry), mae, mfe, tie


@given(
    seed=st.integers(0, 10_000),
    step=st.sampled_from([1, 3, 5]),
    contracts=st.integers(1, 3),
    missing=st.sampled_from([0.0, 0.2, 0.6]),
    k_up=st.sampled_from([0.5, 1.0, 1.5, 3.0]),
    k_down=st.sampled_from([0.5, 1.0, 2.0]),
)
@settings(max_examples=40, deadline=None)
def test_the_scan_equals_a_plain_walk_over_the_minutes(seed, step, contracts, missing, k_up, k_down):
    minutes = random_minutes(seed, n=300, missing=missing, contracts=contracts)
    base = rung_of(minutes, step)
    atr = np.random.default_rng(seed).choice([np.nan, 0.25, 0.5, 1.0, 2.0], len(base))
    horizons = (1, 3, 7)
    atr[:15] = 1.0
    assume(len(base) > 15 and (base.contract[7:15] == base.contract[0:8]).any())
    labels = triple_barrier(minutes, base, atr, barriers=default_barriers(k_up, k_down, horizons))
    for horizon in horizons:
        of = labels[horizon]
        for t in range(len(base)):
            expected = walk(minutes, base, atr, k_up, k_down, horizon, t)
            assert of.has_label[t] == (expected is not None)
            if expected is None:
                assert (of.label[t], of.label_end[t], of.tie[t]) == (0, base.end[t], False)
                assert np.isnan([of.log_return[t], of.mae[t], of.mfe[t]]).all()
            else:
                label, end, log_return, mae, mfe, tie = expected
                assert (of.label[t], of.label_end[t], of.tie[t]) == (label, end, tie)
                assert (of.log_return[t], of.mae[t], of.mfe[t]) == pytest.approx((log_return, mae, mfe), rel=1e-12, abs=1e-12)


def test_no_label_depends_on_a_minute_after_its_label_end():
    minutes = random_minutes(5, n=400)
    base = rung_of(minutes)
    atr = wilder_atr(base)
    before = triple_barrier(minutes, base, atr, barriers=default_barriers(1.5, 1.0, (5, 10)))
    for t in range(14, len(base) - 5, 3):
        for horizon, of in before.items():
            if not of.has_label[t]:
                continue
            later = minutes.time >= of.label_end[t]
            changed = minutes.bars.copy()
            changed[later, :4] = np.random.default_rng(t).uniform(1, 1000, (int(later.sum()), 1))
            other = replace(minutes, bars=changed)
            again = triple_barrier(other, rung_of(other), atr, barriers=default_barriers(1.5, 1.0, (5, 10)))[horizon]
            for name in ("label", "has_label", "label_end", "log_return", "mae", "mfe", "tie"):
                assert getattr(again, name)[t] == getattr(of, name)[t], f"{name} of row {t} has read past its label end"


@pytest.mark.real
@pytest.mark.parametrize(
    ("k_up", "k_down", "with_rolls", "counts", "ties", "unlabelled", "span", "total", "digest"),
    [
        (1.5, 1.0, False, (34542, 2035, 23053), 91, 34, 55.7619, 0.037283, "1c010c272c65734d"),
        (1.5, 1.0, True, (34510, 2033, 23027), 90, 94, 50.2702, 0.031478, "17aaf9657663dbe6"),
        (2.0, 2.0, True, (23674, 12013, 23883), 55, 94, 85.8824, 0.502985, "4e370c366411ed6a"),
    ],
)
def test_the_labels_of_the_real_mes_are_the_independent_ones(
    real_data: Path, k_up, k_down, with_rolls, counts, ties, unlabelled, span, total, digest
):
    """Source: honest_scores.md, an independent implementation over horizon 20."""
    sessions = load_sessions("equity_index", "ETH")
    minutes = Minutes.from_frame(pl.read_parquet(real_data / "MES_1m.parquet"))
    minutes = Minutes.of(minutes.time[inside := sessions.numbers(minutes.time) >= 0], minutes.bars[inside])
    if with_rolls:
        changes = pl.Series(["2025-09-11 04:08", "2025-12-11 07:00", "2026-03-12 06:00"]).str.to_datetime(time_zone="UTC")
        rolls = [minute_of(change) for change in changes]
        minutes = replace(minutes, contract=np.searchsorted(rolls, minutes.time, "right").astype(np.int32))
    base = ladder(minutes, sessions, ["5m"], adjusted=False)["5m"]
    of = triple_barrier(minutes, base, wilder_atr(base), barriers=default_barriers(k_up, k_down, (20,)))[20]
    known = of.has_label
    assert len(base) == 59_664
    assert of.counts() == dict(zip(("short", "neutral", "long", "ties", "unlabelled"), (*counts, ties, unlabelled), strict=True))
    assert round(float((of.label_end - base.end)[known].mean()), 4) == span
    assert round(float(of.log_return[known].sum()), 6) == total
    assert hashlib.sha256(of.label[known].tobytes()).hexdigest()[:16] == digest
