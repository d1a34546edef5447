"""Permutation importance: by how much a loss rises when one feature is shuffled, with an interval by whole sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from barsmith.metrics.bootstrap import session_counts

DRAWS = 500
SHUFFLES = 3


@dataclass(frozen=True)
class Importance:
    """How much worse the loss becomes when a feature is shuffled. interval: 95 %, whole sessions drawn; None with a single session."""

    feature: str
    worse_by: float
    interval: list[float] | None


def permutation_importance(
    names: Sequence[str],
    session: np.ndarray,
    worse: Callable[[int, np.ndarray], np.ndarray],
    *,
    seed: np.random.SeedSequence,
    shuffles: int = SHUFFLES,
) -> list[Importance]:
    """Every feature's importance, highest first.

    session: (N,) of the rows. worse: of a feature's number and an order (N,), by how much each row's loss rises, (N,), where the rows take
    the feature's values in that order. All features are shuffled in the same `shuffles` orders, whose mean counts.
    Source: Breiman (2001), section 10; Lopez de Prado (2018), section 8.3.2, without refitting.
    """
    *streams, last = seed.spawn(shuffles + 1)
    orders = [np.random.default_rng(stream).permutation(len(session)) for stream in streams]
    number, counts = session_counts(session, last, DRAWS)
    rows = np.einsum("bs,s->b", counts, np.bincount(number).astype(np.float64))
    found = []
    for column, name in enumerate(names):
        rise = sum(worse(column, order) for order in orders) / shuffles
        means = np.einsum("bs,s->b", counts, np.bincount(number, rise)) / rows
        interval = np.percentile(means, (2.5, 97.5)).tolist() if counts.shape[1] > 1 else None
        found.append(Importance(name, float(np.mean(rise)), interval))
    return sorted(found, key=lambda one: -one.worse_by)
