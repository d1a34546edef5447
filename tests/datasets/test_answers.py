"""How alike a feature and an answer of its own row are, and from where that is an accusation."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm, rankdata
from sklearn.metrics import roc_auc_score

from barsmith.bars.minutes import as_datetime
from barsmith.datasets.answers import answers_among, likeness


def test_a_perfect_score_of_two_classes_is_wholly_alike_although_their_ties_hold_the_correlation_down() -> None:
    score, label = np.arange(1.0, 9.0), np.array([0, 0, 0, 0, 1, 1, 1, 1.0])
    ranks = np.column_stack([score, -score, rankdata(label), np.ones(8)])
    assert likeness(ranks, rankdata(label), is_class=True).tolist() == pytest.approx([1.0, 1.0, 1.0, 0.0])
    assert likeness(ranks, rankdata(label), is_class=False)[0] == pytest.approx(16 / np.sqrt(42 * 8))  # what Spearman gives


def test_the_likeness_of_a_class_is_scikit_learns_area_under_the_curve_doubled() -> None:
    rng = np.random.default_rng(3)
    label = (rng.random(500) < 0.2).astype(float)
    score = label + rng.normal(0, 1, 500)
    found = likeness(rankdata(score)[:, None], rankdata(label), is_class=True)[0]
    assert found == pytest.approx(2 * roc_auc_score(label, score) - 1)


def rows(n: int, label: np.ndarray, feature: np.ndarray) -> pl.DataFrame:
    time = 5 * np.arange(n)
    return pl.DataFrame(
        {
            "decision": as_datetime(time),
            "is_settled": np.ones(n, np.bool_),
            "label_h5": pl.Series(label, dtype=pl.Int8),
            "label_end_h5": as_datetime(time + 5),
            "feature": feature,
        }
    )


@pytest.mark.parametrize(("spread", "sure"), [(0.25, [True]), (0.7, [True]), (1.5, [False]), (6.0, [])])
def test_a_label_is_recognised_under_noise_of_most_of_its_size_and_suspected_under_more(spread: float, sure: list[bool]) -> None:
    """Under noise of s standard deviations the likeness is 2 Phi(sqrt 2 / s) - 1: 0.65 for 1.5, 0.19 for 6."""
    rng = np.random.default_rng(5)
    label = rng.choice([-1, 0, 1], 4000)
    found = answers_among(rows(4000, label, label + rng.normal(0, spread, 4000)), ["feature"], [5])
    assert [(one.answer, one.is_sure) for one in found] == [("label_h5", each) for each in sure]
    if spread == 1.5:
        assert found[0].likeness == pytest.approx(2 * norm.cdf(np.sqrt(2) / spread) - 1, abs=0.03)


def test_nothing_is_suspected_where_few_labels_make_half_a_likeness_chance() -> None:
    """Noise of 1.5 on 150 labels of each direction, 5 bars long: 30 spans, against 80 spans of 400."""
    rng = np.random.default_rng(5)
    found = {}
    for each in (150, 400):
        label = np.repeat([-1, 1], each)
        found[each] = answers_among(rows(2 * each, label, label + rng.normal(0, 1.5, 2 * each)), ["feature"], [5])
    assert (found[150], [one.is_sure for one in found[400]]) == ([], [False])


def test_few_labels_that_happen_to_be_in_order_accuse_nobody_and_the_label_itself_still_does() -> None:
    """Ten short and ten long labels, four windows in all, fall by chance as a slow feature does, but for one pair."""
    label = np.zeros(4000, np.int8)
    label[1000:1010], label[3000:3010] = -1, 1
    slow = np.arange(4000.0)
    slow[1009], slow[3000] = slow[3000], slow[1009]
    assert answers_among(rows(4000, label, slow), ["feature"], [5]) == []
    assert [one.answer for one in answers_among(rows(4000, label, label * 3.0), ["feature"], [5])] == ["label_h5"]
