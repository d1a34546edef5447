"""Which features a model leans on: its own account, where it has one, and what it loses when a feature is shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from barsmith.datasets.views import View
from barsmith.metrics.classification import row_log_losses
from barsmith.metrics.permutation import SHUFFLES, Importance, permutation_importance
from barsmith.models.base import BaseModel
from barsmith.models.fitting import predict_model
from barsmith.models.registry import first_line

#: Answers that are asked for, of all features and shuffles together: of rows, and of windows, which cost a hundred times as much.
MOST_ROWS, MOST_WINDOWS = 1_000_000, 20_000
FEWEST = 64


@dataclass(frozen=True)
class FeatureImportance:
    """own: by feature, as the model accounts for itself; None where it does not. own_is: what that account is, in a sentence.

    permutation: rise of the log loss by feature, highest first; below 0 the model does better without it. rows: of how many rows or windows,
    spread evenly over `of` there are. shuffles: how many orders it is the mean of.
    """

    own: dict[str, float] | None
    own_is: str
    permutation: list[Importance]
    rows: int
    of: int
    shuffles: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def feature_importance(
    model: BaseModel, X: Any, y: np.ndarray, session: np.ndarray, names: Sequence[str], *, seed: int = 42
) -> FeatureImportance:
    """Both kinds of importance of a fitted model. X: (N, F) rows or windows whose last axis is the features; y, session: (N,).

    Where all rows in all shuffles would be too many answers, fewer shuffles are taken first, then fewer rows.
    """
    most = (MOST_ROWS if X.ndim == 2 else MOST_WINDOWS) / max(model.row_cost(), 1.0) / len(names)
    shuffles = int(min(max(most // len(X), 1), SHUFFLES))
    chosen = np.unique(np.linspace(0, len(X) - 1, min(len(X), max(FEWEST, int(most / shuffles)))).astype(np.intp))
    X, y = (X.gather(chosen) if isinstance(X, View) else X[chosen]), y[chosen]
    own = model.get_feature_importance()
    found = permutation_importance(
        names, session[chosen], Shuffled(model, X, y).worse, seed=np.random.SeedSequence([seed, *b"permutation"]), shuffles=shuffles
    )
    own_is = "" if own is None else first_line(type(model).get_feature_importance.__doc__)
    return FeatureImportance(own, own_is, found, len(y), len(session), shuffles)


class Shuffled:
    """A model's loss on its rows, with one feature's values, of windows its whole courses, exchanged between them."""

    def __init__(self, model: BaseModel, X: np.ndarray, y: np.ndarray) -> None:
        self.model, self.X, self.y, self.changed = model, X, y, np.array(X)
        self.before = self.losses(X)

    def losses(self, X: np.ndarray) -> np.ndarray:
        return row_log_losses(self.y, predict_model(self.model, X).probabilities)

    def worse(self, column: int, order: np.ndarray) -> np.ndarray:
        """(N,) rise of each row's log loss."""
        self.changed[..., column] = self.X[order, ..., column]
        rise = self.losses(self.changed) - self.before
        self.changed[..., column] = self.X[..., column]
        return rise
