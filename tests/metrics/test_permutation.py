"""Permutation importance: sums by hand, intervals by whole sessions."""

from __future__ import annotations

import numpy as np
import pytest

from barsmith.metrics.permutation import DRAWS, permutation_importance

SEED = 4


def seed() -> np.random.SeedSequence:
    return np.random.SeedSequence(SEED)


def test_it_is_the_mean_over_the_orders_of_what_the_rows_lose():
    session = np.repeat([7, 8, 9], 4)
    asked: list[tuple[int, list[int]]] = []

    def worse(column: int, order: np.ndarray) -> np.ndarray:
        asked.append((column, order.tolist()))
        return column * (order - np.arange(12.0)) ** 2

    found = permutation_importance(("none", "some", "twice"), session, worse, seed=seed(), shuffles=2)
    orders = [order for column, order in asked if column == 1]
    assert len(orders) == 2
    assert all(sorted(order) == list(range(12)) for order in orders)
    assert orders == [order for column, order in asked if column == 2]  # all features in the same orders
    by_hand = np.mean([(np.array(order) - np.arange(12)) ** 2 for order in orders])
    assert [(one.feature, one.worse_by) for one in found] == [("twice", 2 * by_hand), ("some", by_hand), ("none", 0.0)]
    assert found[2].interval == [0.0, 0.0]


def test_the_interval_draws_whole_sessions():
    """Each session's rows all lose the same, so that drawing rows would give an interval ten times as narrow."""
    rises = np.repeat(np.random.default_rng(1).normal(1.0, 1.0, 40), 100)
    (one,) = permutation_importance(("a",), np.repeat(np.arange(40), 100), lambda column, order: rises, seed=seed(), shuffles=1)
    by_session = rises[::100]
    reach = 1.96 * by_session.std() / np.sqrt(40)
    assert one.interval == pytest.approx([one.worse_by - reach, one.worse_by + reach], abs=0.25 * reach)
    assert DRAWS >= 500


def test_a_single_session_has_no_interval():
    (one,) = permutation_importance(("a",), np.zeros(9), lambda column, order: np.ones(9), seed=seed())
    assert (one.worse_by, one.interval) == (1.0, None)
