"""Baselines by hand: what the clock, the crowd and the last move know."""

from __future__ import annotations

import numpy as np
import pytest
from run_tables import FEATURES, HORIZON, table

from barsmith.datasets.parts import Part, part_of
from barsmith.validation.baselines import (
    NAMES,
    SMOOTHING,
    baseline_probabilities,
    baseline_scores,
    last_direction,
    majority,
    time_of_day,
    train_frequencies,
)

Y = np.array([-1, -1, -1, 0, 1])


def part(start: int, n: int, seed: int) -> Part:
    return part_of(table(start, n, seed), HORIZON, FEATURES, "")[0]


def test_the_majority_is_certain_and_the_frequencies_are_counted():
    assert majority(Y, 2).tolist() == [[1.0, 0.0, 0.0]] * 2
    assert train_frequencies(Y, 1).tolist() == [[0.6, 0.2, 0.2]]


def test_a_half_hour_has_its_own_frequencies_drawn_to_those_of_train():
    # minutes 0 to 29 all short, minute 30 on neutral and long
    table = time_of_day(Y, np.array([0, 10, 29, 30, 59]), np.array([5, 31, 600]))
    first = (np.array([3, 0, 0]) + SMOOTHING * np.array([0.6, 0.2, 0.2])) / (3 + SMOOTHING)
    second = (np.array([0, 1, 1]) + SMOOTHING * np.array([0.6, 0.2, 0.2])) / (2 + SMOOTHING)
    assert table == pytest.approx(np.stack([first, second, [0.6, 0.2, 0.2]])), "an empty cell gives train's frequencies"


def test_a_session_longer_than_a_day_stays_in_the_last_half_hour():
    assert time_of_day(Y, np.array([1, 1, 1, 1, 1]), np.array([1440, 5000])).shape == (2, 3)


def test_the_last_move_tells_what_followed_such_moves_in_train():
    y = np.array([1] * 500 + [-1] * 500)
    moved = np.array([1] * 500 + [-1] * 500)
    up, down, flat = last_direction(y, moved, np.array([1, -1, 0]))
    assert up[2] == pytest.approx(510 / 520)
    assert down[0] == pytest.approx(510 / 520)
    assert flat.tolist() == [0.5, 0.0, 0.5]


def test_every_baseline_is_a_probability_and_knows_nothing_of_the_scored_labels():
    train, val = part(0, 3000, 1), part(20_000, 500, 2)
    before = baseline_probabilities(train, val)
    assert tuple(before) == NAMES
    val.y[:] = 1
    after = baseline_probabilities(train, val)
    for name in NAMES:
        assert before[name].shape == (len(val), 3)
        assert before[name].sum(axis=1) == pytest.approx(np.ones(len(val)))
        assert np.array_equal(before[name], after[name])


def test_baseline_scores_stand_beside_the_models_and_the_majority_has_no_loss():
    of = baseline_scores(part(0, 3000, 1), part(20_000, 500, 2))
    assert set(of) == set(NAMES)
    assert of["majority"]["log_loss"] is None
    assert of["majority"]["accuracy"] is not None
    assert of["train_frequencies"]["auc_timing"] == 0.5
    assert of["train_frequencies"]["log_loss"] < of["time_of_day"]["log_loss"] < 1.1, "labels of noise: the clock only adds noise"
