"""Session bootstrap: every draw is the score of the rows it repeats."""

from __future__ import annotations

import time

import numpy as np
import pytest

from barsmith.metrics.bootstrap import difference_intervals, intervals, session_counts, session_draws, session_intervals
from barsmith.metrics.classification import scores


def rows(seed: int, n: int = 300, sessions: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "y": rng.choice([-1, 0, 1], n, p=[0.5, 0.1, 0.4]).astype(np.int8),
        "probabilities": np.round(rng.dirichlet([2, 1, 2], n), 1) + 0.01,  # coarse: many equal scores
        "session": 100 + np.sort(rng.integers(0, sessions, n)),
        "log_return": rng.normal(0, 0.001, n),
    }


def normal(of: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**of, "probabilities": of["probabilities"] / of["probabilities"].sum(axis=1, keepdims=True)}


@pytest.mark.parametrize("seed", range(3))
def test_each_draw_is_the_score_of_the_rows_it_repeats(seed):
    of = normal(rows(seed))
    drawn = session_draws(**of, seed=7, draws=25)
    number, counts = session_counts(of["session"], 7, 25)
    for b in range(25):
        repeated = np.repeat(np.arange(len(of["y"])), counts[b, number].astype(int))
        expected = scores(of["y"][repeated], of["probabilities"][repeated], log_return=of["log_return"][repeated])
        assert set(expected) == set(drawn)
        for name, value in expected.items():
            assert drawn[name][b] == pytest.approx(np.nan if value is None else value, nan_ok=True), name


def test_aucs_are_scikit_learns_with_the_sessions_as_weights():
    from sklearn.metrics import roc_auc_score

    of = normal(rows(3))
    drawn = session_draws(**of, seed=1, draws=10)
    number, counts = session_counts(of["session"], 1, 10)
    for b in range(10):
        expected = roc_auc_score(of["y"] != 0, 1 - of["probabilities"][:, 1], sample_weight=counts[b, number])
        assert drawn["auc_timing"][b] == pytest.approx(expected)


def test_a_draw_has_as_many_sessions_as_there_are():
    _, counts = session_counts(np.array([5, 5, 9, 2]), 3, 200)
    assert counts.shape == (200, 3)
    assert (counts.sum(axis=1) == 3).all()
    assert counts.mean(axis=0) == pytest.approx([1, 1, 1], abs=0.2)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    of = normal(rows(4))
    first, again, other = (session_intervals(**of, seed=seed, draws=200) for seed in (1, np.random.SeedSequence(1), 2))
    assert first == again
    assert first != other


def test_equal_sessions_leave_no_doubt():
    one = normal(rows(5, n=50, sessions=1))
    several = {name: np.concatenate([values] * 4) for name, values in one.items()} | {"session": np.repeat(np.arange(4), 50)}
    expected = scores(one["y"], one["probabilities"], log_return=one["log_return"])
    for name, interval in session_intervals(**several, seed=1, draws=50).items():
        if name != "trades" and expected[name] is not None:
            assert interval == pytest.approx([expected[name]] * 2), name


def test_two_sessions_one_right_and_one_wrong_range_from_zero_to_one():
    y, p = np.array([1, 1, 1, 1]), np.array([[0, 0, 1.0], [0, 0, 1.0], [1.0, 0, 0], [1.0, 0, 0]])
    assert session_intervals(y, p, np.array([0, 0, 1, 1]), seed=1, statistics=["accuracy"]) == {"accuracy": [0.0, 1.0]}


def test_a_single_session_has_no_interval():
    assert set(map(str, session_intervals(**normal(rows(6, sessions=1)), seed=1, draws=20).values())) == {"None"}


def test_a_score_undefined_in_half_of_the_draws_has_no_interval():
    assert intervals({"x": np.array([1.0, np.nan])})["x"] is None
    assert intervals({"x": np.array([1.0, 1.0, np.nan])})["x"] == [1.0, 1.0]


def test_a_wider_level_gives_a_wider_interval():
    of = normal(rows(7))
    narrow, wide = (session_intervals(**of, seed=1, draws=300, level=level)["accuracy"] for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_differences_are_taken_over_the_same_sessions():
    of = normal(rows(8))
    probabilities = of.pop("probabilities")
    same = difference_intervals(probabilities=probabilities, others=probabilities, **of, seed=1, draws=50)
    assert all(interval == [0.0, 0.0] for interval in same.values() if interval is not None)
    flat = np.tile([0.5, 0.1, 0.4], (300, 1))
    worse = difference_intervals(probabilities=probabilities, others=flat, **of, seed=1, draws=200)["log_loss"]
    assert worse[0] > 0, "random probabilities lose more than the true frequencies"


def test_a_thousand_draws_over_eight_thousand_rows_take_less_than_five_seconds():
    of = normal(rows(9, n=8_000, sessions=30))
    session_draws(**of, seed=1, draws=2)  # compiled now
    began = time.perf_counter()
    session_intervals(**of, seed=1)
    assert time.perf_counter() - began < 5.0
