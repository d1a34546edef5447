"""A linear score for each class and the softmax over the three: how the logistic and the ridge model answer and are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from barsmith.artifacts import parse_json, write_json
from barsmith.compiled import njit
from barsmith.models.base import BaseModel, PredictionOutput
from barsmith.models.params import CLASSES
from barsmith.models.refusals import broken, check_sizes
from barsmith.models.rows import checked_rows
from barsmith.models.softmax import softmax_row
from barsmith.models.storage import not_fitted, params_of, read_file, read_names, write_card

FILE = "weights.json"


@dataclass(frozen=True, eq=False)
class LinearSoftmax:
    """weights: (3, F) float64. intercepts: (3,) float64."""

    weights: np.ndarray
    intercepts: np.ndarray

    def answers(self, rows: np.ndarray) -> PredictionOutput:
        """(N, F) finite float32 rows -> probabilities, without the GIL."""
        n = len(rows)
        margins, probabilities = np.empty((n, CLASSES)), np.empty((n, CLASSES))
        signal, confidence = np.empty(n, np.int8), np.empty(n)
        score(rows, self.weights, self.intercepts, margins, probabilities, signal, confidence)
        return PredictionOutput.from_scorer(signal, confidence, probabilities)

    def shares(self, names: Sequence[str]) -> dict[str, float]:
        """Share of the absolute weights by feature; they compare because the rows are scaled."""
        size = np.abs(self.weights).sum(axis=0)
        return dict(zip(names, (size / max(float(size.sum()), 1e-300)).tolist(), strict=True))

    def save(self, folder: Path) -> None:
        write_json(folder / FILE, {"weights": self.weights.tolist(), "intercepts": self.intercepts.tolist()})

    @classmethod
    def load(cls, folder: Path, n_features: int) -> Self:
        """Raises IntegrityError `bundle/format`, `bundle/structure`."""
        where = str(folder / FILE)
        document = parse_json(read_file(folder / FILE), where, code="bundle/format")
        try:
            weights, intercepts = np.array(document["weights"], np.float64), np.array(document["intercepts"], np.float64)
        except (TypeError, KeyError, ValueError, OverflowError):
            weights = intercepts = np.empty(0)
        if weights.shape != (CLASSES, n_features) or intercepts.shape != (CLASSES,):
            came = f"weights {weights.shape}, intercepts {intercepts.shape}"
            broken(f"weights ({CLASSES}, {n_features}) and {CLASSES} intercepts", came, where)
        check_sizes(np.concatenate([weights.ravel(), intercepts]), "weights", where)
        return cls(weights, intercepts)


class LinearModel(BaseModel):
    """A model whose fit finds a `LinearSoftmax` over scaled rows: everything but the fit."""

    _linear: LinearSoftmax | None = None

    def predict(self, X: Any) -> PredictionOutput:
        """Raises DataError `models/nan-input`, `models/shape`."""
        if self._linear is None:
            raise not_fitted(self)
        return self._linear.answers(checked_rows(X, self.feature_names, self._linear.weights.shape[1]))

    def get_feature_importance(self) -> dict[str, float]:
        """Share of the absolute weights by feature; they compare because the rows are scaled."""
        if self._linear is None:
            raise not_fitted(self)
        return self._linear.shares(self.feature_names)

    def save(self, folder: Path) -> None:
        """`weights.json` and the card."""
        if self._linear is None:
            raise not_fitted(self)
        self._linear.save(folder)
        write_card(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises IntegrityError `bundle/format`, `bundle/structure`."""
        model = cls(params_of(cls, folder))
        model.feature_names = read_names(folder)
        model._linear = LinearSoftmax.load(folder, len(model.feature_names))
        return model


@njit(nogil=True)
def score(X: Any, weights: Any, intercepts: Any, margins: Any, probabilities: Any, signal: Any, confidence: Any) -> None:
    """Margins in float64, added feature by feature in their order, whatever the number of rows."""
    for row in range(len(X)):
        for k in range(CLASSES):
            total = intercepts[k]
            for column in range(X.shape[1]):
                total += weights[k, column] * X[row, column]
            margins[row, k] = total
        softmax_row(margins, row, probabilities, signal, confidence)
