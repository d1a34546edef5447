"""What a model is: fit, predict, save, load; what it answers with, and what it tells about its training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel as Pydantic
from pydantic import ConfigDict, Field

from barsmith.errors import DataError
from barsmith.metrics.classification import confidences, signals
from barsmith.models.libraries import missing, missing_library
from barsmith.models.params import CLASSES, AnyParams, ModelParams
from barsmith.models.rows import checked_rows, checked_windows

if TYPE_CHECKING:
    from barsmith.models.registry import ModelInfo

TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class PredictionOutput:
    """Answers for N rows.

    classes: (N,) -1, 0 or +1, the most probable class. probabilities: (N, 3) in the order [short, neutral, long].
    Raises DataError `models/prediction` for another shape, a value that is not finite, a row that does not sum to one within 1e-6,
    or a class that is not its row's most probable one (the sign of probabilities in another order).
    """

    classes: np.ndarray
    probabilities: np.ndarray

    def __post_init__(self) -> None:
        probabilities = checked_probabilities(self.probabilities)
        object.__setattr__(self, "classes", checked_classes(self.classes, probabilities))
        object.__setattr__(self, "probabilities", probabilities)

    @classmethod
    def of(cls, probabilities: np.ndarray) -> Self:
        """The output whose classes are the most probable ones, 0 where two tie."""
        probabilities = checked_probabilities(probabilities)
        return cls(signals(probabilities), probabilities)

    @classmethod
    def from_scorer(cls, signal: np.ndarray, confidence: np.ndarray, probabilities: np.ndarray) -> Self:
        """The output of arrays that a scorer of this house made, not checked again: the checks cost more than a row's score."""
        output = object.__new__(cls)
        output.__dict__.update(classes=signal, probabilities=probabilities, signal=signal, confidence=confidence)
        return output

    def __len__(self) -> int:
        return len(self.classes)

    @cached_property
    def signal(self) -> np.ndarray:
        """(N,) int8: the most probable class, 0 where two tie."""
        return signals(self.probabilities)

    @cached_property
    def confidence(self) -> np.ndarray:
        """(N,) the probability of the signal."""
        return confidences(self.probabilities)

    def trade_signal(self, row: int = 0) -> dict[str, Any]:
        """One row as `{"signal": 1, "confidence": 0.7, "probabilities": [0.1, 0.2, 0.7]}`."""
        return {
            "signal": int(self.signal[row]),
            "confidence": float(self.confidence[row]),
            "probabilities": self.probabilities[row].tolist(),
        }


def checked_probabilities(given: Any) -> np.ndarray:
    """(N, 3) float64 in C order; raises DataError `models/prediction`."""
    probabilities = np.ascontiguousarray(given, np.float64)
    if probabilities.ndim != 2 or probabilities.shape[1] != CLASSES:
        raise prediction_error("probabilities of shape (N, 3) in the order [short, neutral, long]", f"shape {probabilities.shape}")
    sums = probabilities[:, 0] + probabilities[:, 1] + probabilities[:, 2]
    good = (np.abs(sums - 1.0) <= TOLERANCE) & (probabilities.min(axis=1) >= 0.0)  # NaN compares false
    if not good.all():
        row = int(np.argmin(good))
        raise prediction_error("rows of finite probabilities >= 0 that sum to one within 1e-6", f"row {row}: {probabilities[row].tolist()}")
    return probabilities


def checked_classes(given: Any, probabilities: np.ndarray) -> np.ndarray:
    """(N,) int8; raises DataError `models/prediction`."""
    given = np.asarray(given)
    if given.shape != (len(probabilities),):
        raise prediction_error(f"classes of shape ({len(probabilities)},), one a row", f"shape {given.shape}")
    if given.dtype.kind not in "iuf" or not np.isin(given, (-1, 0, 1)).all():
        raise prediction_error("classes -1, 0 and +1", f"{np.unique(given)[:5].tolist()}")
    classes = given.astype(np.int8)
    chosen = np.take_along_axis(probabilities, classes[:, None].astype(np.intp) + 1, axis=1)[:, 0]
    wrong = (chosen < probabilities.max(axis=1) - TOLERANCE) & (classes != signals(probabilities))  # 0 may stand for a tie
    if wrong.any():
        row = int(np.argmax(wrong))
        raise prediction_error(
            "the most probable class of [short, neutral, long]", f"row {row}: class {classes[row]} beside {probabilities[row].tolist()}"
        )
    return classes


def prediction_error(expected: str, came: str) -> DataError:
    return DataError("models/prediction", expected=expected, came=came, do="correct the model's predict")


class TrainingMetrics(Pydantic):
    """What a training tells about itself; a model may add numbers of its own by name.

    seconds: wall time. best_iteration: the last round kept, from 0; None where there are no rounds. history: a loss for each round,
    by the rows it is of (`train`, `stop`). n_fit, n_stop: rows learned from and rows that decided when to stop. notes: what a
    reader should know, in sentences.
    """

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    seconds: float = 0.0
    best_iteration: int | None = None
    stopped_early: bool = False
    history: Mapping[str, Sequence[float]] = Field(default_factory=dict)
    n_fit: int = 0
    n_stop: int = 0
    seed: int | None = None
    device: str = "cpu"
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return self.model_dump(mode="json")


class BaseModel(ABC):
    """A classifier over -1, 0 and +1. Subclass it, write `fit` and `predict`, and register the class.

        @register(name="my_model", family="boosting")
        class MyModel(BaseModel):
            def fit(self, X_train, y_train, X_val, y_val, **kwargs): ...
            def predict(self, X): return PredictionOutput(classes, probabilities)

    `X_val` holds the rows that may decide when to stop: a slice of the training rows, never the rows that are reported.
    Further keywords come only if `fit` takes them: `weight_train, weight_val` (N,), `feature_names`, `seed`, `progress`,
    a function of (rounds done, rounds in all, losses by name), and `checkpoint`, a folder in which a long training may keep how far it is.
    X is (N, F) rows, (N, T, F) or (N, R, T, 4) windows: an array, or a `View` that gathers them.
    Parameters are fields of a nested `class Params(ModelParams)`; without one any parameter is taken.
    `feature_names` is set after a fit, by whoever fits.
    """

    Params: ClassVar[type[ModelParams]] = AnyParams
    #: Does `fit` stop or calibrate by `X_val`; where it does neither, `train` hands it all training rows and no X_val.
    uses_inner_slice: ClassVar[bool] = True
    #: Set by `register`.
    info: ClassVar[ModelInfo]

    feature_names: tuple[str, ...] = ()
    #: Of one window, (T, F) or (R, T, 4), of a model that reads windows; set after a fit, by whoever fits.
    input_shape: tuple[int, ...] = ()

    def __init__(self, params: ModelParams | None = None, **values: Any) -> None:
        self.params: Any = params if params is not None else type(self).Params.of(values)

    @abstractmethod
    def fit(self, X_train: Any, y_train: Any, X_val: Any, y_val: Any, *args: Any, **kwargs: Any) -> TrainingMetrics | None:
        """Learn. X: (N, F) float32 for tabular models; y: (N,) int8. X_val and y_val may be None: then no early stopping."""

    @abstractmethod
    def predict(self, X: Any) -> PredictionOutput:
        """Answers for the rows of X. One row alone must give the bits that it gives among others."""

    def rows(self, X: Any) -> np.ndarray:
        """X as (N, F) finite float32 with the fitted features, for a `predict` of rows. Raises DataError `models/nan-input`, `models/shape`."""
        return checked_rows(X, self.feature_names)

    def windows(self, X: Any) -> Any:
        """X as finite windows of the fitted features, an array or a view, for a `predict` of windows. Raises as `rows` does."""
        return checked_windows(X, self.feature_names, self.input_shape or None)

    def get_feature_importance(self) -> dict[str, float] | None:
        """Importance by feature name, sums to one; None where the model gives no account of its own."""
        return None

    def row_cost(self) -> float:
        """How much dearer than a common booster's one answer of the fitted model is: importance then asks for fewer."""
        return 1.0

    def check_machine(self) -> None:
        """Raise UsageError where this machine cannot train the model with its parameters: `models/missing-library`, `config/device`."""
        if hasattr(self, "info") and (lacking := missing(self.info.needs)):
            raise missing_library(self.info.name, lacking)

    def save(self, folder: Path) -> None:
        """Write the fitted state into `folder`. Here: every attribute that is an array or plain data; override for anything else."""
        from barsmith.models.attributes import save_attributes

        save_attributes(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        from barsmith.models.attributes import load_attributes
        from barsmith.models.storage import params_of

        model = cls(params_of(cls, folder))
        load_attributes(model, folder)
        return model
