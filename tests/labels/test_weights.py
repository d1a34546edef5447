"""Quality scores, sample weights and label columns, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from rungs import random_minutes, rung_of

from barsmith.errors import DataError
from barsmith.labels.barriers import Labels, triple_barrier, wilder_atr
from barsmith.labels.outcomes import default_barriers
from barsmith.labels.weights import class_neutral, label_columns, pain_to_gain, quality_scores, sample_weights

#              straight long, painful long, short, quiet, drifting, tie, missing
LABELS = Labels(
    label=np.array([1, 1, -1, 0, 0, 0, 0], np.int8),
    has_label=np.array([1, 1, 1, 1, 1, 1, 0], bool),
    label_end=np.array([10, 11, 12, 13, 14, 15, 6]),
    log_return=np.array([0.01, 0.01, -0.01, 0.0, 0.002, 0.0, np.nan]),
    mae=np.array([0.0, 0.5, 1.5, 0.0, 0.25, 1.0, np.nan]),
    mfe=np.array([2.0, 2.0, 1.0, 0.0, 1.5, 1.9, np.nan]),
    tie=np.array([0, 0, 0, 0, 0, 1, 0], bool),
    k_up=2.0,
    k_down=1.0,
    max_bars=5,
)


def test_pain_to_gain_counts_each_excursion_in_distances_of_its_barrier():
    # the short: 1.5 of 2 against it, 1 of 1 for it; the drifting neutral went 1.5 / 2 of the way up
    assert pain_to_gain(LABELS).tolist()[:6] == [0.0, 0.5, 0.75, 0.0, 0.75, 1.0]


def test_a_straight_way_scores_one_and_a_tie_at_most_a_half():
    assert quality_scores(LABELS).tolist()[:6] == [1.0, 1 / 1.5, 1 / 1.75, 1.0, 1 / 1.75, 0.5]
    assert np.isnan(quality_scores(LABELS)[6])


def test_scores_lie_between_zero_and_one_and_only_ties_below_a_half():
    minutes = random_minutes(11)
    base = rung_of(minutes)
    of = triple_barrier(minutes, base, wilder_atr(base), barriers=default_barriers(1.5, 1.0, (10,)))[10]
    score = quality_scores(of)
    assert np.array_equal(np.isnan(score), ~of.has_label)
    known = score[of.has_label & ~of.tie]
    assert known.min() > 0.5
    assert known.max() <= 1.0


def test_an_atr_of_zero_leaves_no_warning_and_scores_a_half():
    zero = replace(LABELS, mae=np.zeros(7), mfe=np.zeros(7), tie=np.ones(7, bool), label=np.zeros(7, np.int8))
    assert quality_scores(zero)[0] == 0.5


def test_a_price_that_did_not_move_scores_a_half_whatever_its_label():
    still = replace(LABELS, mae=np.zeros(7), mfe=np.zeros(7), label=np.array([1, -1, 1, -1, 1, -1, 1], np.int8))
    assert quality_scores(still).tolist()[:6] == [0.5] * 6


def test_the_weight_is_a_half_plus_the_rank_among_the_train_rows():
    score = np.array([0.6, 0.7, 0.7, 0.9, 0.5, 0.7, 1.0, np.nan])
    has_label = np.array([1, 1, 1, 1, 1, 1, 1, 0], bool)
    weights = sample_weights(score, has_label, np.arange(4))
    # train: 0.6 has half of itself below, the two 0.7 share ranks 1 and 2, 0.9 is the best of four
    assert weights[:4].tolist() == [0.5 + 0.5 / 4, 0.5 + 2 / 4, 0.5 + 2 / 4, 0.5 + 3.5 / 4]
    assert weights[4:7].tolist() == [0.5, 1.0, 1.5], "below all, among the ties, above all"
    assert np.isnan(weights[7])


def test_rows_outside_train_change_no_weight():
    rng = np.random.default_rng(3)
    score, has_label = rng.random(200), rng.random(200) < 0.9
    train = np.arange(120)
    before = sample_weights(score, has_label, train)
    score[120:] = rng.random(80) * 100
    assert np.array_equal(sample_weights(score, has_label, train)[:120], before[:120], equal_nan=True)
    assert np.nanmin(before) >= 0.5
    assert np.nanmax(before) <= 1.5
    mask = np.zeros(200, bool)
    mask[:120] = True
    assert np.array_equal(sample_weights(score, has_label, mask)[:120], before[:120], equal_nan=True)


def test_weights_without_a_labelled_train_row_are_an_error():
    with pytest.raises(DataError, match="expected labelled rows in the training slice, came none"):
        sample_weights(np.array([0.5, np.nan]), np.array([True, False]), np.array([1]))


def test_label_columns_are_null_where_the_future_is_missing():
    frame = label_columns({20: LABELS}, {20: sample_weights(quality_scores(LABELS), LABELS.has_label, np.arange(3))})
    assert frame.schema == {
        "label_h20": pl.Int8,
        "label_end_h20": pl.Datetime("us", "UTC"),
        "return_h20": pl.Float64,
        "sample_weight_h20": pl.Float64,
    }
    assert frame.row(6) == (None, None, None, None)
    assert frame.row(0) == (1, datetime(1970, 1, 1, 0, 10, tzinfo=UTC), 0.01, 0.5 + 2.5 / 3)
    assert frame.null_count().row(0) == (1, 1, 1, 1)


def test_neutral_weights_leave_each_class_as_frequent_as_it_came() -> None:
    y = np.array([1, 1, 0, 0, 0, -1])
    neutral = class_neutral(np.array([0.5, 1.5, 0.5, 0.5, 1.0, 1.4]), y)
    assert neutral == pytest.approx([0.5, 1.5, 0.75, 0.75, 1.5, 1.0])
    assert [neutral[y == k].sum() for k in (-1, 0, 1)] == pytest.approx([1.0, 3.0, 2.0])
