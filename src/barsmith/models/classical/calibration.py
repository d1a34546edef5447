"""Probabilities for models that only decide: a multinomial logistic regression on their three decision values.

It is Platt scaling for three classes, also called matrix scaling (Guo et al., 2017). It learns from rows that the model has not
learned from: the inner, purged slice `X_val`, or, where there is none, the last fifth of the training rows behind a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.models.classical.solving import solving
from barsmith.models.params import CLASSES

SHARE, GAP, LEAST = 0.2, 0.05, 40
NOTE = "no inner slice was given: the last fifth of the training rows calibrated the probabilities, behind a gap of a twentieth"
FEW = "no inner slice was given and there are too few rows to set some aside: the probabilities were calibrated on training rows"

UNSETTLED = "the calibration did not converge in 1000 iterations: are the rows scaled?"


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows to learn from and rows to calibrate on; note says where the latter come from when they were not given."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    X_held: np.ndarray
    y_held: np.ndarray
    weight_held: np.ndarray
    notes: tuple[str, ...] = ()


def parted(rows: np.ndarray, y: Any, weight: Any, held: np.ndarray | None, y_held: Any, weight_held: Any) -> Parts:
    """The rows as float64, and those held out."""
    X, y, weight = rows.astype(np.float64), np.asarray(y, np.int8), weights_of(weight, len(rows))
    if held is not None:
        return Parts(X, y, weight, held.astype(np.float64), np.asarray(y_held, np.int8), weights_of(weight_held, len(held)))
    if len(X) < LEAST:
        return Parts(X, y, weight, X, y, weight, (FEW,))
    begin, end = int(len(X) * (1.0 - SHARE)), int(len(X) * (1.0 - SHARE - GAP))
    return Parts(X[:end], y[:end], weight[:end], X[begin:], y[begin:], weight[begin:], (NOTE,))


def weights_of(weight: Any, n: int) -> np.ndarray:
    return np.ones(n) if weight is None else np.asarray(weight, np.float64)


def matrix_scaling(decisions: np.ndarray, y: np.ndarray, weight: np.ndarray, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(3, D) A and (3,) c: probabilities are the softmax of A d + c for decision values d (N, D).

    notes: gets a sentence where the fit did not converge. Each class gets one row's weight more, spread over all rows, as Platt does: a class that the rows lack stays possible.
    """
    from sklearn.linear_model import LogisticRegression

    n = len(decisions)
    centre, scale = decisions.mean(axis=0), decisions.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    standard = (decisions - centre) / scale
    classes = np.repeat(np.array([-1, 0, 1], np.int8), n)
    told = np.where(classes == np.tile(y, CLASSES), np.tile(weight, CLASSES), 0.0) + 1.0 / n
    with solving(notes, UNSETTLED):
        fitted = LogisticRegression(max_iter=1000).fit(np.tile(standard, (CLASSES, 1)), classes, sample_weight=told)
    A = fitted.coef_ / scale
    return A, fitted.intercept_ - A @ centre
