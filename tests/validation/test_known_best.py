"""The best reachable score: near the exact one although the odds are drawn, and never from a single class."""

from __future__ import annotations

import numpy as np
import pytest

from barsmith.metrics.classification import scores
from barsmith.validation.known_best import BOUNDED, known_best, smoothed


def market(n: int = 20_000, paths: int = 64):
    """True odds, labels drawn from them, and odds estimated from `paths` futures."""
    rng = np.random.default_rng(5)
    exact = rng.dirichlet((6.0, 1.5, 5.0), n)
    y = (rng.random(n)[:, None] > exact.cumsum(axis=1)).sum(axis=1) - 1
    return exact, np.clip(y, -1, 1).astype(np.int8), np.array([rng.multinomial(paths, p) for p in exact]) / paths


def test_noisy_odds_alone_score_too_low_and_the_extrapolation_mends_most_of_it():
    exact, y, odds = market()
    true, plain, found = scores(y, exact), scores(y, smoothed(odds * 64)), known_best(y, odds, 64, seed=np.random.SeedSequence(1))
    for name in ("log_loss", "auc_direction", "auc_timing"):
        assert abs(found[name] - true[name]) < 0.5 * abs(plain[name] - true[name]), name


def test_only_scores_that_bound_a_model_are_given():
    _, y, odds = market(500)
    assert set(known_best(y, odds, 64, seed=np.random.SeedSequence(1))) == set(BOUNDED)


@pytest.mark.parametrize("counts", [(0, 0, 8), (8, 0, 0), (3, 2, 3)])
def test_nothing_is_impossible(counts):
    p = smoothed(np.array([counts]))
    assert p.sum() == pytest.approx(1.0)
    assert p.min() > 0.05


def test_a_score_that_is_not_defined_stays_so():
    odds = np.tile([0.5, 0.0, 0.5], (20, 1))
    assert known_best(np.ones(20, np.int8), odds, 8, seed=np.random.SeedSequence(1))["auc_direction"] is None
