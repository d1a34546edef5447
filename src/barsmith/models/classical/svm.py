"""A support vector machine with an RBF kernel: approximate by default, exact on request; calibrated, and scored by our own sums."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from barsmith.compiled import njit
from barsmith.errors import UsageError
from barsmith.models.array_files import read_arrays, write_arrays
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.classical.calibration import Parts, matrix_scaling, parted
from barsmith.models.classical.solving import losses, solving
from barsmith.models.params import CLASSES, EarlyStopping, RowParams
from barsmith.models.refusals import broken, check_sizes
from barsmith.models.registry import register
from barsmith.models.rows import checked_rows, named
from barsmith.models.softmax import softmax_rows
from barsmith.models.storage import not_fitted, params_of, read_names, write_card

ITERATIONS = 1000
UNSETTLED = "a machine did not converge in {iterations} iterations: scale the rows, or lower training.C"
FILES = {"landmarks": ("<f4", 2), "weights": ("<f8", 2), "intercepts": ("<f8", 1), "gamma": ("<f8", 1)}


@dataclass(frozen=True, eq=False)
class Expansion:
    """Margins `weights @ exp(-gamma |x - landmark|^2) + intercepts`.

    landmarks: (F, M) float32, a column each. weights: (D, M), intercepts: (D,), gamma: (1,) float64; D is 3 where it scores.
    """

    landmarks: np.ndarray
    weights: np.ndarray
    intercepts: np.ndarray
    gamma: np.ndarray

    def margins(self, rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), len(self.intercepts)))
        expand(rows, self.landmarks, self.weights, self.intercepts, self.gamma[0], found)
        return found

    def answers(self, rows: np.ndarray) -> PredictionOutput:
        """(N, F) finite float32 rows -> probabilities, without the GIL."""
        margins, probabilities = self.margins(rows), np.empty((len(rows), CLASSES))
        signal, confidence = np.empty(len(rows), np.int8), np.empty(len(rows))
        softmax_rows(margins, probabilities, signal, confidence)
        return PredictionOutput.from_scorer(signal, confidence, probabilities)

    def calibrated(self, A: np.ndarray, c: np.ndarray) -> Expansion:
        return Expansion(self.landmarks, np.ascontiguousarray(A @ self.weights), A @ self.intercepts + c, self.gamma)


@register(name="svm", family="classical", reads="tabular")
class SVMModel(BaseModel):
    """Widest margins in the space of an RBF kernel. Source: Cortes & Vapnik (1995); Williams & Seeger (2001) for the approximation.

    `kernel: approximate` draws `n_components` training rows as landmarks (Nystroem) and fits a linear machine against the rest for
    each class; `exact` is libsvm's, whose time grows with the square of the rows. The rows must be scaled. `X_val` calibrates: a
    multinomial logistic regression turns the three values into probabilities, and is folded into the weights.
    """

    class Params(RowParams):
        kernel: Literal["approximate", "exact"] = "approximate"
        C: float = Field(default=1.0, gt=0.0, le=1e9)
        gamma: float | None = Field(default=None, gt=0.0, le=1e6)
        n_components: int = Field(default=300, ge=1, le=20_000)
        max_exact_rows: int = Field(default=10_000, ge=1, le=1_000_000)
        early_stopping: EarlyStopping = EarlyStopping(enabled=False)

        rounds: ClassVar[bool] = False

    _expansion: Expansion | None = None

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
        seed: int = 42,
    ) -> TrainingMetrics:
        """X: (N, F) finite scaled rows; y: (N,) -1, 0, +1; weights (N,). X_val calibrates; without it the last fifth of X does.

        Raises UsageError `models/too-many-rows` where `kernel: exact` is asked for with more than `max_exact_rows` rows.
        """
        started, params = time.perf_counter(), self.params
        rows = checked_rows(X_train, feature_names)
        if params.kernel == "exact" and len(rows) > params.max_exact_rows:
            do = "set training.kernel to approximate, or raise training.max_exact_rows: time grows with the square of the rows"
            raise UsageError(
                "models/too-many-rows", expected=f"at most {params.max_exact_rows} rows", came=f"{len(rows)}", do=do, where="model svm"
            )
        self.feature_names = named(rows, feature_names)
        held = None if X_val is None else checked_rows(X_val, self.feature_names)
        parts = parted(rows, y_train, weight_train, held, y_val, weight_val)
        notes = list(parts.notes)
        gamma = params.gamma or 1.0 / (rows.shape[1] * max(float(parts.X.var()), 1e-12))
        find = approximate if params.kernel == "approximate" else exact
        with solving(notes, UNSETTLED.format(iterations=ITERATIONS)):
            decided = find(parts, params, gamma, seed)
        values = decided.margins(parts.X_held.astype(np.float32))
        self._expansion = decided.calibrated(*matrix_scaling(values, parts.y_held, parts.weight_held, notes))
        history = losses(self, (X_train, y_train, weight_train), (X_val, y_val, weight_val))
        seconds = time.perf_counter() - started
        return TrainingMetrics(seconds=seconds, history=history, n_fit=len(parts.y), n_stop=0, seed=seed, notes=tuple(notes))

    def predict(self, X: Any) -> PredictionOutput:
        """Raises DataError `models/nan-input`, `models/shape`."""
        if self._expansion is None:
            raise not_fitted(self)
        return self._expansion.answers(checked_rows(X, self.feature_names, len(self._expansion.landmarks)))

    def row_cost(self) -> float:
        """An answer is a distance to each landmark; 300 of them over 150 features cost what 300 rounds of a booster do."""
        return 1.0 if self._expansion is None else self._expansion.landmarks.size / (300.0 * 150.0)

    def save(self, folder: Path) -> None:
        """Four `.npy` files and the card."""
        if self._expansion is None:
            raise not_fitted(self)
        write_arrays(folder, {name: getattr(self._expansion, name) for name in FILES})
        write_card(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises IntegrityError `bundle/format`, `bundle/structure`, `bundle/missing-file`."""
        model = cls(params_of(cls, folder))
        model.feature_names = read_names(folder)
        found = Expansion(**read_arrays(folder, FILES))
        n_landmarks = found.landmarks.shape[1]
        if found.landmarks.shape[0] != len(model.feature_names) or found.weights.shape != (CLASSES, n_landmarks):
            came = f"landmarks {found.landmarks.shape}, weights {found.weights.shape}"
            broken(f"landmarks of {len(model.feature_names)} features and {CLASSES} weights each", came, str(folder))
        if found.intercepts.shape != (CLASSES,) or found.gamma.shape != (1,) or not found.gamma[0] > 0.0:
            broken(f"{CLASSES} intercepts and a gamma above 0", f"{found.intercepts.shape}, {found.gamma}", str(folder))
        check_sizes(np.concatenate([found.weights.ravel(), found.intercepts]), "weights", str(folder))
        model._expansion = found
        return model


def approximate(parts: Parts, params: Any, gamma: float, seed: int) -> Expansion:
    """One linear machine against the rest for each class, on Nystroem's features."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.svm import LinearSVC

    space = Nystroem(kernel="rbf", gamma=gamma, n_components=min(params.n_components, len(parts.X)), random_state=seed).fit(parts.X)
    weighs = parts.weight > 0.0  # liblinear prints a warning about a class without weight
    features, y, weight = space.transform(parts.X)[weighs], parts.y[weighs], parts.weight[weighs]
    weights, intercepts = np.zeros((CLASSES, features.shape[1])), np.full(CLASSES, -1.0)
    for k, label in enumerate((-1, 0, 1)):
        is_it = y == label
        if is_it.all() or not is_it.any():
            intercepts[k] = 1.0 if is_it.any() else -1.0
            continue
        machine = LinearSVC(C=params.C, dual=False, max_iter=ITERATIONS, random_state=seed).fit(features, is_it, sample_weight=weight)
        weights[k], intercepts[k] = machine.coef_[0], machine.intercept_[0]
    landmarks = np.ascontiguousarray(space.components_.T, np.float32)
    return Expansion(landmarks, np.ascontiguousarray(weights @ space.normalization_), intercepts, np.array([gamma]))


def exact(parts: Parts, params: Any, gamma: float, seed: int) -> Expansion:
    """libsvm's machines, one for each pair of classes; a class that the rows lack gets one row at the origin."""
    from sklearn.svm import SVC

    weighs = parts.weight > 0.0
    lacking = np.setdiff1d([-1, 0, 1], parts.y[weighs]).astype(np.int8)
    X = np.vstack([parts.X[weighs], np.zeros((len(lacking), parts.X.shape[1]))])
    y, weight = np.concatenate([parts.y[weighs], lacking]), np.concatenate([parts.weight[weighs], np.ones(len(lacking))])
    machine = SVC(C=params.C, kernel="rbf", gamma=gamma, decision_function_shape="ovo", random_state=seed).fit(X, y, sample_weight=weight)
    ends = np.concatenate([[0], np.cumsum(machine.n_support_)])
    pairs = [(0, 1), (0, 2), (1, 2)]
    weights = np.zeros((len(pairs), len(machine.support_vectors_)))
    for row, (i, j) in enumerate(pairs):  # libsvm keeps a vector's coefficient against class j in row j, or j - 1 beyond its own
        of_i, of_j = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
        weights[row, of_i], weights[row, of_j] = machine.dual_coef_[j - 1, of_i], machine.dual_coef_[i, of_j]
    landmarks = np.ascontiguousarray(machine.support_vectors_.T, np.float32)
    return Expansion(landmarks, weights, np.array(machine.intercept_, np.float64), np.array([gamma]))


@njit(nogil=True)
def expand(X: Any, landmarks: Any, weights: Any, intercepts: Any, gamma: float, margins: Any) -> None:
    """Sums in float64, each row by itself: the same bits whatever the number of rows."""
    distance = np.empty(landmarks.shape[1])
    for row in range(len(X)):
        distance[:] = 0.0
        for column in range(X.shape[1]):
            x = np.float64(X[row, column])
            for m in range(len(distance)):
                apart = x - np.float64(landmarks[column, m])
                distance[m] += apart * apart
        for m in range(len(distance)):
            distance[m] = math.exp(-gamma * distance[m])
        for k in range(len(intercepts)):
            total = intercepts[k]
            for m in range(len(distance)):
                total += weights[k, m] * distance[m]
            margins[row, k] = total
