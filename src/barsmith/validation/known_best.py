"""The best score that anybody could reach on a simulated market, from odds that were themselves drawn."""

from __future__ import annotations

import numpy as np

from barsmith.metrics.classification import scores

#: Scores that nobody beats in the long run who does not know more than the true probabilities; a single class's recall is none of them.
BOUNDED = ("accuracy", "log_loss", "brier", "auc_macro", "auc_timing", "auc_direction")
THINNINGS = 8


def known_best(y: np.ndarray, odds: np.ndarray, paths: int, *, seed: np.random.SeedSequence) -> dict[str, float | None]:
    """The scores that the true probabilities get on N rows, as `classification.scores` names them; only those that bound a model.

    y: (N,) -1, 0, +1. odds: (N, 3) shares of `paths` drawn futures. Odds of few futures are noisy and score too low, by an amount that
    falls as 1 / paths: so the score at all of them is carried on by its distance from the score at a random half (Richardson extrapolation).
    """
    counts = np.rint(odds * paths).astype(np.int64)
    counts[:, 1] += paths - counts.sum(axis=1)
    whole = scores(y, smoothed(counts))
    halves = []
    for child in seed.spawn(THINNINGS):
        rng = np.random.default_rng(child)
        short = rng.hypergeometric(counts[:, 0], paths - counts[:, 0], paths // 2)
        long = rng.hypergeometric(counts[:, 2], counts[:, 1], paths // 2 - short)
        halves.append(scores(y, smoothed(np.column_stack((short, paths // 2 - short - long, long)))))
    found: dict[str, float | None] = {}
    for name in BOUNDED:
        full, thinned = whole[name], [half[name] for half in halves]
        known = [value for value in thinned if value is not None]
        found[name] = None if full is None else 2.0 * full - float(np.mean(known)) if known else full
    return found


def smoothed(counts: np.ndarray) -> np.ndarray:
    """(N, 3) probabilities: half a future more in each class, because one that none of the drawn futures hit is not impossible."""
    return np.asarray((counts + 0.5) / (counts.sum(axis=1, keepdims=True) + 1.5))
