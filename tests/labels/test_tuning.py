"""Barrier tuning: the look-up against the walk, the probe against scikit-learn, profits by hand, and what a search may see."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rungs import random_minutes, rung_of
from sklearn.linear_model import Ridge

from barsmith.bars.ladder import Rung
from barsmith.bars.minutes import Minutes
from barsmith.labels.barriers import triple_barrier, wilder_atr
from barsmith.labels.first_passage import first_passage
from barsmith.labels.market import Market
from barsmith.labels.outcomes import Barriers, default_barriers, window
from barsmith.labels.probe import FOLDS, PENALTY, RidgeProbe
from barsmith.labels.tuning import SHIFTS, imbalance, tune
from barsmith.metrics.trading import annual_sharpe, mean_interval, session_profits

LONGEST = 12


def walk(seed: int, n: int = 4000) -> tuple[Minutes, Rung, np.ndarray]:
    """A random walk of n minutes as bars of 4 minutes, 40 bars a session, with their ATR."""
    rng = np.random.default_rng(seed)
    close = 1000.0 + np.cumsum(rng.normal(0.0, 0.5, n)).round(2)
    opens = np.concatenate(([1000.0], close[:-1]))
    reach = np.abs(rng.normal(0.0, 0.3, (2, n))).round(2)
    bars = np.column_stack((opens, np.maximum(opens, close) + reach[0], np.minimum(opens, close) - reach[1], close, np.ones(n)))
    minutes = Minutes.of(np.arange(n), bars)
    base = rung_of(minutes, 4)
    return minutes, replace(base, session=np.arange(len(base)) // 40), wilder_atr(base)


def market(seed: int = 1) -> Market:
    minutes, base, atr = walk(seed)
    rows = np.arange(20, len(base) - LONGEST)
    return Market.over(minutes, base, atr, rows, [Barriers(1.5, 1.0, 6)], window(base, LONGEST), 0.05)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from([0.5, 1.0, 1.5, 3.0]), st.sampled_from([0.5, 1.0, 2.0, 3.0]), st.integers(1, 9), st.booleans()
)
def test_the_look_up_is_the_walk_bit_for_bit(seed: int, k_up: float, k_down: float, max_bars: int, with_closes: bool):
    minutes = random_minutes(seed, 160)
    base = rung_of(minutes, 4)
    base = replace(base, session=np.arange(len(base)) // 11)
    closes = base.end[np.minimum(base.session * 11 + 10, len(base) - 1)] if with_closes else None
    atr, over = np.full(len(base), 0.75), window(base, 9, closes)
    want = triple_barrier(minutes, base, atr, barriers=default_barriers(k_up, k_down, (max_bars,)), closes=closes)[max_bars]
    rows = np.flatnonzero(want.has_label & (over.last >= 0))
    levels = np.array([0.5, 1.0, 1.5, 2.0, 3.0])
    got = first_passage(minutes, base, atr, rows, levels, over).outcomes(Barriers(k_up, k_down, max_bars))
    assert got.label.tolist() == want.label[rows].tolist()
    assert got.log_return.tobytes() == want.log_return[rows].tobytes()
    known_at = np.where(want.label_end[rows] > base.end[got.exit_bar - 1], want.label_end[rows] <= base.end[got.exit_bar], False)
    assert known_at.all(), "the exit bar is the one in which the outcome is known"


def test_the_probe_is_a_ridge_regression_on_standardised_columns_that_leaves_out_its_fold_and_the_gap():
    rng = np.random.default_rng(3)
    X = (rng.normal(size=(500, 6)) * [1, 2, 3, 1, 1, 5] + 1).astype(np.float32)
    y = (X[:, :1] - 0.3 * X[:, 1:2] + rng.normal(size=(500, 1))).astype(np.float32)
    got = RidgeProbe.over(X, gap=7).out_of_fold(y)
    for low, high in pairwise(np.linspace(0, 500, FOLDS + 1).astype(int)):
        known = (np.arange(500) < low - 7) | (np.arange(500) >= high + 7)
        mean, spread = X[known].mean(axis=0), X[known].std(axis=0)
        reference = Ridge(alpha=PENALTY * known.sum()).fit((X[known] - mean) / spread, y[known, 0])
        expected = reference.predict((X[low:high] - mean) / spread) - y[known, 0].mean()
        np.testing.assert_allclose(got[low:high, 0], expected, atol=2e-4)


def test_a_fold_does_not_change_with_its_own_rows_targets_nor_with_those_next_to_it():
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(200, 3)).astype(np.float32), rng.normal(size=(200, 1)).astype(np.float32)
    changed = y.copy()
    changed[35:85] += 9.0  # the second of five folds is [40, 80)
    held = RidgeProbe.over(X, gap=5)
    assert np.array_equal(held.out_of_fold(y)[40:80], held.out_of_fold(changed)[40:80])
    leaking = RidgeProbe.over(X, gap=4)
    assert not np.array_equal(leaking.out_of_fold(y)[40:80], leaking.out_of_fold(changed)[40:80])


def test_one_position_at_a_time_pays_its_cost_into_the_session_of_its_decision():
    # decisions at bars 0 1 2 3; the first is long until bar 2, so that at bar 1 cannot be taken; 0.0 is no trade
    profit = np.empty(2)
    side, gain = np.array([1.0, 1.0, -0.3, 0.0]), np.log([1.02, 5.0, 1.01, 9.0])
    trades = session_profits(side, gain, np.full(4, 100.0), np.array([2, 9, 3, 4]), np.arange(4), np.array([0, 0, 1, 1]), 0.25, profit)
    assert trades == 2
    assert profit == pytest.approx([2.0 - 0.25, -1.0 - 0.25])


def test_sharpe_of_alternating_profits():
    assert annual_sharpe(np.array([1.0, 3.0])) == pytest.approx(2.0 / 2**0.5 * 252**0.5)
    assert annual_sharpe(np.array([2.0, 2.0])) == 0.0
    assert annual_sharpe(np.array([2.0])) == 0.0


def test_the_interval_of_a_constant_profit_is_that_profit():
    assert mean_interval(np.full(30, 1.25), seed=1) == [1.25, 1.25]


def test_imbalance_is_nought_for_even_thirds_and_one_for_a_single_class():
    assert imbalance(np.array([-1, 0, 1] * 5, np.int8)) == pytest.approx(0.0, abs=1e-12)
    assert imbalance(np.zeros(9, np.int8)) == 1.0
    assert imbalance(np.array([-1, 1], np.int8)) == pytest.approx(1 - np.log(2) / np.log(3))


@pytest.mark.parametrize("search", ["tpe", "nsga2"])
def test_a_search_is_repeatable_keeps_every_trial_and_stays_within_its_bounds(search):
    place, given = market(), {6: Barriers(1.5, 1.0, 6), 4: Barriers(1.5, 1.0, 4)}
    X = np.random.default_rng(5).normal(size=(len(place.session), 4)).astype(np.float32)
    probe = RidgeProbe.over(X, gap=LONGEST)
    first, again = (tune(place, probe, given, trials=12, search=search, seed=np.random.SeedSequence(1), longest=LONGEST) for _ in range(2))
    assert first == again
    assert tune(place, probe, given, trials=12, search=search, seed=np.random.SeedSequence(2), longest=LONGEST) != first
    for h, tuned in first.items():
        assert len(tuned.trials) == 12
        assert len(tuned.shifted) == SHIFTS
        assert tuned.best.score == max(tuned.given.score, *(trial.score for trial in tuned.trials))
        assert all(0.5 <= k <= 4.0 for trial in tuned.trials for k in (trial.barriers.k_up, trial.barriers.k_down))
        assert all(h // 2 <= trial.barriers.max_bars <= 2 * h for trial in tuned.trials)
        assert tuned.given.barriers == given[h]
        assert tuned.fixed.barriers == Barriers(3.0, 3.0, h)


def test_a_feature_that_knows_the_next_bars_ranks_first_and_noise_does_not():
    place = market()
    close = place.passages.base.bars[:, 3]
    rows = place.passages.rows
    ahead = (close[rows + 4] - close[rows]) / place.passages.unit
    noise = np.random.default_rng(6).normal(size=(len(rows), 3))
    tuned = {}
    for name, X in (("oracle", np.column_stack((ahead, noise))), ("noise", noise)):
        probe = RidgeProbe.over(X.astype(np.float32), gap=LONGEST)
        found = tune(place, probe, {6: Barriers(1.5, 1.0, 6)}, trials=15, search="tpe", seed=np.random.SeedSequence(1), longest=LONGEST)
        tuned[name] = found[6]
    assert tuned["oracle"].rank == 1
    assert tuned["oracle"].best.sharpe > 10.0
    assert tuned["noise"].rank > 1, "of 25 sessions the best of 15 earns by luck what it earns on shifted noise"


def test_the_rank_counts_the_shifted_searches_that_score_as_high():
    place = market()
    X = np.random.default_rng(5).normal(size=(len(place.session), 2)).astype(np.float32)
    probe = RidgeProbe.over(X, gap=LONGEST)
    one = tune(place, probe, {6: Barriers(1.5, 1.0, 6)}, trials=5, search="tpe", seed=np.random.SeedSequence(1), longest=LONGEST)[6]
    score = one.best.score
    assert replace(one, shifted=(score, score - 1, score + 1)).rank == 3
