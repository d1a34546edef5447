"""Ridge classification: three penalised least-squares fits, whose values are calibrated into probabilities."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barsmith.models.base import TrainingMetrics
from barsmith.models.classical.calibration import matrix_scaling, parted
from barsmith.models.classical.linear import LinearModel, LinearSoftmax
from barsmith.models.classical.solving import losses, solving
from barsmith.models.params import EarlyStopping, RowParams
from barsmith.models.registry import register
from barsmith.models.rows import checked_rows, named


@register(name="ridge", family="classical", reads="tabular")
class RidgeModel(LinearModel):
    """Least squares on targets +1 and -1 for each class, with an L2 penalty. Source: Hoerl & Kennard (1970); Platt (1999) for probabilities.

    The rows must be scaled. `X_val` calibrates: a multinomial logistic regression turns the three values into probabilities, and
    is folded into the weights. Importance is the share of the absolute weights.
    """

    class Params(RowParams):
        alpha: float = Field(default=1.0, gt=0.0, le=1e12)
        early_stopping: EarlyStopping = EarlyStopping(enabled=False)

        rounds: ClassVar[bool] = False

    def fit(
        self,
        X_train: Any,
        y_train: Any,
        X_val: Any = None,
        y_val: Any = None,
        *,
        weight_train: np.ndarray | None = None,
        weight_val: np.ndarray | None = None,
        feature_names: Sequence[str] = (),
    ) -> TrainingMetrics:
        """X: (N, F) finite scaled rows; y: (N,) -1, 0, +1; weights (N,). X_val calibrates; without it the last fifth of X does."""
        from sklearn.linear_model import Ridge

        started = time.perf_counter()
        rows = checked_rows(X_train, feature_names)
        self.feature_names = named(rows, feature_names)
        held = None if X_val is None else checked_rows(X_val, self.feature_names)
        parts = parted(rows, y_train, weight_train, held, y_val, weight_val)
        notes = list(parts.notes)
        targets = np.where(parts.y[:, None] == np.array([-1, 0, 1]), 1.0, -1.0)
        with solving(notes, "the least-squares fit did not converge"):
            fitted = Ridge(alpha=self.params.alpha, solver="cholesky").fit(parts.X, targets, sample_weight=parts.weight)
            decisions = fitted.predict(parts.X_held)
        A, c = matrix_scaling(decisions, parts.y_held, parts.weight_held, notes)
        self._linear = LinearSoftmax(np.ascontiguousarray(A @ fitted.coef_), A @ fitted.intercept_ + c)
        history = losses(self, (X_train, y_train, weight_train), (X_val, y_val, weight_val))
        seconds = time.perf_counter() - started
        return TrainingMetrics(seconds=seconds, history=history, n_fit=len(parts.y), n_stop=0, notes=tuple(notes))
