"""Multinomial logistic regression: scikit-learn finds the weights, our own sums score the rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barsmith.models.base import TrainingMetrics
from barsmith.models.classical.linear import LinearModel, LinearSoftmax
from barsmith.models.classical.solving import losses, solving
from barsmith.models.params import EarlyStopping, RowParams
from barsmith.models.registry import register
from barsmith.models.rows import checked_rows, named


@register(name="logistic", family="classical", reads="tabular")
class LogisticModel(LinearModel):
    """A linear score for each class, softmax over the three, with an L2 penalty. Source: Hastie, Tibshirani & Friedman (2009), section 4.4.

    The rows must be scaled. A class that the training rows lack gets one row at the origin, so that it keeps a small probability.
    Importance is the share of the absolute weights.
    """

    uses_inner_slice = False

    class Params(RowParams):
        C: float = Field(default=1.0, gt=0.0, le=1e9)
        max_iter: int = Field(default=1000, ge=1, le=1_000_000)
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
        """X: (N, F) finite scaled rows; y: (N,) -1, 0, +1; weights (N,). X_val only shows the loss on rows not learned from."""
        from sklearn.linear_model import LogisticRegression

        started, params = time.perf_counter(), self.params
        notes: list[str] = []
        rows = checked_rows(X_train, feature_names).astype(np.float64)
        y, weight = np.asarray(y_train, np.int8), np.ones(len(rows)) if weight_train is None else np.asarray(weight_train, np.float64)
        self.feature_names = named(rows, feature_names)
        lacking = np.setdiff1d([-1, 0, 1], y).astype(np.int8)
        model = LogisticRegression(C=params.C, max_iter=params.max_iter)
        with solving(notes, f"not converged after {params.max_iter} iterations: raise training.max_iter"):
            model.fit(
                np.vstack([rows, np.zeros((len(lacking), rows.shape[1]))]),
                np.concatenate([y, lacking]),
                sample_weight=np.concatenate([weight, np.ones(len(lacking))]),
            )
        self._linear = LinearSoftmax(np.ascontiguousarray(model.coef_, np.float64), np.ascontiguousarray(model.intercept_, np.float64))
        history = losses(self, (X_train, y, weight), (X_val, y_val, weight_val))
        seconds = time.perf_counter() - started
        return TrainingMetrics(seconds=seconds, history=history, n_fit=len(rows), n_stop=0, notes=tuple(notes))
