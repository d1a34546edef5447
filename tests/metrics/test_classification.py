"""Scores of probabilities by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.errors import DataError
from barsmith.metrics.classification import calibration_bins, confidences, direction_scores, scores, signals

#          said: short            neutral          long             long             tie: neutral
P = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4], [0.4, 0.2, 0.4]])
Y = np.array([-1, 0, 1, -1, 1], np.int8)


def random_scores(seed: int, n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 0, 1], n, p=[0.5, 0.1, 0.4]).astype(np.int8), rng.dirichlet([2, 1, 2], n)


def test_the_signal_is_the_most_probable_class_and_zero_on_a_tie():
    assert signals(P).tolist() == [-1, 0, 1, 1, 0]
    assert signals(np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])).tolist() == [0, 0]
    assert confidences(P).tolist() == [0.6, 0.5, 0.8, 0.4, 0.2]


def test_five_rows_by_hand():
    of = scores(Y, P, log_return=np.array([-0.01, 0.0, 0.02, -0.04, 0.01]))
    assert of["accuracy"] == 3 / 5
    assert (of["precision_short"], of["recall_short"], of["f1_short"]) == (1.0, 0.5, 2 / 3)
    assert (of["precision_neutral"], of["recall_neutral"], of["f1_neutral"]) == (0.5, 1.0, 2 / 3)
    assert (of["precision_long"], of["recall_long"], of["f1_long"]) == (0.5, 0.5, 0.5)
    assert of["f1_macro"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 2) / 3)
    assert of["log_loss"] == pytest.approx(-sum(map(math.log, (0.6, 0.5, 0.8, 0.3, 0.4))) / 5)
    assert of["brier"] == pytest.approx((0.26 + 0.38 + 0.06 + 0.74 + 0.56) / 5)
    assert of["auc_timing"] == 1.0, "the one timeout has the highest probability of a timeout"
    # shares of long: 1/7 and 4/7 for the shorts, 8/9 and 1/2 for the longs; three of four pairs are ranked rightly
    assert of["auc_direction"] == 0.75
    # three signals, -1 at -0.01, +1 at 0.02, +1 at -0.04
    assert of["gross_return_per_trade"] == pytest.approx((0.01 + 0.02 - 0.04) / 3)
    assert of["trades"] == 3


def test_calibration_error_is_the_gap_in_each_bin_weighted_by_its_rows():
    # confidences .6 .5 .8 .4 .2, right 1 1 1 0 0, each in a bin of its own
    assert scores(Y, P)["ece"] == pytest.approx((0.4 + 0.5 + 0.2 + 0.4 + 0.2) / 5)
    edges = np.array([[0.0, 1 / 3, 2 / 3], [1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, 0.0]])
    assert calibration_bins(edges).tolist() == [9, 4, 14], "a bin holds its upper edge"
    calm = np.tile([0.8, 0.1, 0.1], (10, 1))
    assert scores(np.array([-1] * 8 + [1, 0]), calm)["ece"] == pytest.approx(0.0), "eight of ten right at .8"


def test_a_coin_with_the_right_frequencies_loses_their_entropy():
    y = np.array([-1] * 5 + [0] * 2 + [1] * 3)
    of = scores(y, np.tile([0.5, 0.2, 0.3], (10, 1)))
    assert of["log_loss"] == pytest.approx(-(0.5 * math.log(0.5) + 0.2 * math.log(0.2) + 0.3 * math.log(0.3)))
    assert (of["auc_macro"], of["auc_timing"], of["auc_direction"]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_scikit_learn(seed):
    from sklearn import metrics

    y, p = random_scores(seed)
    of, signal = scores(y, p), signals(p)
    assert of["f1_macro"] == pytest.approx(metrics.f1_score(y, signal, average="macro"))
    assert of["precision_long"] == pytest.approx(metrics.precision_score(y, signal, labels=[1], average=None)[0])
    assert of["log_loss"] == pytest.approx(metrics.log_loss(y, p))
    assert of["brier"] == pytest.approx(metrics.brier_score_loss(y, p, scale_by_half=False))
    assert of["auc_macro"] == pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr", average="macro"))
    assert of["auc_timing"] == pytest.approx(metrics.roc_auc_score(y != 0, 1 - p[:, 1]))


def test_an_absent_class_leaves_its_scores_undefined_and_warns_nobody():
    of = scores(np.array([-1, 1, -1]), np.array([[0.6, 0.0, 0.4], [0.3, 0.0, 0.7], [0.4, 0.0, 0.6]]))
    assert [of[f"{score}_neutral"] for score in ("precision", "recall", "f1")] == [None] * 3
    assert of["f1_macro"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert of["auc_timing"] is None
    assert of["auc_macro"] == of["auc_direction"] == 1.0


def test_a_class_that_is_there_and_never_predicted_has_precision_zero():
    of = scores(np.array([0, 1]), np.array([[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]]))
    assert (of["precision_neutral"], of["recall_neutral"], of["f1_neutral"]) == (0.0, 0.0, 0.0)
    assert of["recall_short"] is None


def test_a_single_row_has_no_auc_and_no_signal_no_trade():
    of = scores(np.array([0]), np.array([[0.2, 0.6, 0.2]]), log_return=np.array([0.1]))
    assert (of["accuracy"], of["auc_macro"], of["auc_direction"], of["gross_return_per_trade"], of["trades"]) == (1.0, None, None, None, 0)


def test_certainty_about_the_wrong_class_has_a_finite_loss():
    assert scores(np.array([1]), np.array([[1.0, 0.0, 0.0]]))["log_loss"] == pytest.approx(52 * math.log(2))


def test_direction_without_any_touch_is_undecided():
    assert direction_scores(np.array([[0.0, 1.0, 0.0], [0.1, 0.6, 0.3]])).tolist() == pytest.approx([0.5, 0.75])


def test_probabilities_in_single_precision_are_taken():
    y, p = random_scores(5)
    assert scores(y, p.astype(np.float32))["log_loss"] == pytest.approx(scores(y, p)["log_loss"], rel=1e-6)


@given(st.integers(0, 1000))
def test_scores_do_not_depend_on_the_order_of_rows(seed):
    y, p = random_scores(seed, n=40)
    order = np.random.default_rng(seed).permutation(40)
    a, b = scores(y, p), scores(y[order], p[order])
    assert all(a[name] == pytest.approx(b[name]) for name in a)


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], [[0.2, 0.6, 0.2]], r"shapes \(2,\) and \(1, 3\)"),
        ([], np.empty((0, 3)), "shapes"),
        ([2], [[0.2, 0.6, 0.2]], "labels -1, 0"),
        ([0], [[0.2, 0.6, 0.3]], "sum to one"),
        ([0], [[-0.2, 0.6, 0.6]], "row 0"),
        ([0], [[math.nan, 0.5, 0.5]], "row 0"),
    ],
)
def test_what_is_no_probability_is_refused(y, p, message):
    with pytest.raises(DataError, match=message) as caught:
        scores(np.array(y), np.array(p))
    assert caught.value.code == "metrics/input"
