"""Which features a model leans on: its own account where it has one, permutation where it has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from barsmith.metrics.classification import row_log_losses
from barsmith.models.base import BaseModel
from barsmith.models.fitting import predict_model

MOST_WINDOWS = 20_000  # scored for an importance: a window costs a hundred times a row


def feature_importance(model: BaseModel, X: Any, y: np.ndarray, names: Sequence[str], *, seed: int = 42) -> tuple[dict[str, float], str]:
    """({feature: importance}, how): `model` for the model's own account, else `permutation` over X and y (N,).

    Permutation importance is the rise of the log loss when one column is shuffled; it can be negative.
    """
    own = model.get_feature_importance()
    if own is not None:
        return own, "model"
    return permutation_importance(model, X, y, names, seed=seed), "permutation"


def permutation_importance(model: BaseModel, X: Any, y: np.ndarray, names: Sequence[str], *, seed: int = 42) -> dict[str, float]:
    """Rise of the log loss when one column of X (N, F), once, is shuffled, by feature.

    Of windows, N evenly spread ones of at most `MOST_WINDOWS` / F, a feature's whole course goes from one window to another.
    """
    random = np.random.default_rng(seed)
    if X.ndim > 2:
        chosen = np.unique(np.linspace(0, len(X) - 1, min(len(X), max(64, MOST_WINDOWS // len(names)))).astype(np.intp))
        X, y = X[chosen], y[chosen]
    before = log_loss(y, predict_model(model, X).probabilities)
    found = {}
    shuffled = np.array(X)
    for column, name in enumerate(names):
        shuffled[..., column] = X[random.permutation(len(X)), ..., column]
        found[name] = log_loss(y, predict_model(model, shuffled).probabilities) - before
        shuffled[..., column] = X[..., column]
    return found


def log_loss(y: np.ndarray, probabilities: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Weighted mean of -log of the probability given to what came; y (N,) -1, 0, +1."""
    return float(np.average(row_log_losses(np.asarray(y), probabilities), weights=weight))
