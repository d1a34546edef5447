"""The two doors to any model, shipped or a user's: what goes in and what comes out is checked here."""

from __future__ import annotations

import contextlib
import inspect
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from barsmith.errors import BarsmithError, DataError, UsageError
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.params import ModelParams, WindowParams
from barsmith.models.registry import ModelInfo, keywords_for
from barsmith.models.rows import checked_labels, checked_rows, checked_seed, checked_weights, checked_windows

#: Rounds done (a fraction inside a long one), rounds in all, numbers by name: the losses `train` and `stop`, and where a model tells
#: them `rows_per_second` and `seconds_left`.
Progress = Callable[[float, int, Mapping[str, float]], None]
UNWATCHED = "there were no rows to stop on: nothing was stopped early, and what calibrates on them did not"


def fit_model(
    model: BaseModel,
    X_train: Any,
    y_train: Any,
    X_val: Any = None,
    y_val: Any = None,
    *,
    weight_train: Any = None,
    weight_val: Any = None,
    feature_names: Sequence[str] = (),
    seed: int = 42,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> TrainingMetrics:
    """Fit `model`; keywords reach its `fit` only where it takes them.

    checkpoint: a folder in which a long training may keep how far it is, and from which it goes on. X_val, y_val: the inner, purged slice that decides when to stop, never rows that are reported (`check_rows_disjoint`).
    Raises UsageError where this machine cannot train it, DataError `models/...` for rows it must not see.
    """
    model.check_machine()
    seed = checked_seed(seed)
    model.input_shape = ()
    X_train, y_train, weight_train = checked_part(model, X_train, y_train, weight_train, feature_names)
    if X_val is not None and not len(X_val):  # too few rows for a slice to stop on
        X_val = y_val = weight_val = None
    if X_val is not None:
        X_val, y_val, weight_val = checked_part(model, X_val, y_val, weight_val, feature_names)
    if not len(y_train):
        raise DataError("models/no-rows", expected="rows to learn from", came="none", do="give more bars, or a shorter purge and embargo")
    offered = {
        "weight_train": weight_train,
        "weight_val": weight_val,
        "feature_names": tuple(feature_names),
        "seed": seed,
        "progress": progress,
        "checkpoint": checkpoint,
    }
    started = time.perf_counter()
    with own_faults(model):
        told = model.fit(X_train, y_train, X_val, y_val, **keywords_for(model.fit, offered))
    seconds = time.perf_counter() - started
    model.feature_names = tuple(feature_names) or model.feature_names
    model.input_shape = tuple(X_train.shape[1:]) if reads(model) in ("sequence", "multires") else ()
    return metrics_of(model, told, seconds=seconds, seed=seed, n_fit=len(y_train), n_stop=0 if X_val is None else len(y_val))


@contextlib.contextmanager
def own_faults(model: BaseModel) -> Iterator[None]:
    """What a user's model raises is its own fault, and is told with its place: UsageError `models/fit-failed`."""
    try:
        yield
    except (BarsmithError, OSError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if type(model).__module__.startswith("barsmith."):
            raise
        frames = traceback.extract_tb(error.__traceback__)
        at = next((frame for frame in reversed(frames) if frame.filename == inspect.getfile(type(model))), frames[-1])
        raise UsageError(
            "models/fit-failed",
            expected="a fit that ends",
            came=f"{type(error).__name__}: {str(error)[:200]}",
            do="mend the model",
            where=f"{at.filename}:{at.lineno}",
        ) from error


def predict_model(model: BaseModel, X: Any) -> PredictionOutput:
    """The answers of `model`, one a row of X. Raises DataError `models/...` for rows or answers that are not as they must be."""
    X = checked_input(model, X, model.feature_names)
    output = model.predict(X)
    if not isinstance(output, PredictionOutput):
        raise DataError("models/prediction", expected="a PredictionOutput", came=type(output).__name__, do="correct the model's predict")
    if len(output) != len(X):
        raise DataError("models/prediction", expected=f"{len(X)} answers", came=f"{len(output)}", do="correct the model's predict")
    return output


def reads(model: BaseModel) -> str:
    """What an instance reads, which may depend on its parameters; a class that nobody registered reads rows."""
    return reads_with(model.info, model.params) if hasattr(model, "info") else "tabular"


def reads_with(info: ModelInfo, params: ModelParams) -> str:
    """What a model with these parameters reads: a model of windows those of several timeframes where its strategy is `ingestion`."""
    if isinstance(params, WindowParams) and info.reads in ("sequence", "multires"):
        return "multires" if str(params.strategy) == "ingestion" else "sequence"
    return info.reads


def checked_input(model: BaseModel, X: Any, names: Sequence[str]) -> Any:
    """X as the model reads it, its last axis of these names. Raises DataError `models/shape`, `models/nan-input`."""
    kind = reads(model)
    if kind in ("sequence", "multires"):
        X = checked_windows(X, names, model.input_shape or None)
        if X.ndim != (axes := 3 if kind == "sequence" else 4):
            do = "hand it what it reads"
            raise DataError("models/shape", expected=f"windows of {axes} axes for a model of {kind}", came=f"shape {X.shape}", do=do)
        return X
    return checked_rows(X, names) if kind == "tabular" else X


def checked_part(model: BaseModel, X: Any, y: Any, weight: Any, names: Sequence[str]) -> tuple[Any, Any, Any]:
    X = checked_input(model, X, names)
    return X, checked_labels(y, len(X)), checked_weights(weight, len(X))


def metrics_of(model: BaseModel, told: Any, **known: Any) -> TrainingMetrics:
    """What `fit` told, or nothing, or a dict of numbers; completed by what is known from outside."""
    if isinstance(told, TrainingMetrics):
        told = {name: getattr(told, name) for name in told.model_fields_set}
    try:
        said = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in dict(told or {}).items()}
        if model.uses_inner_slice and not known["n_stop"] and not said.get("notes"):
            said["notes"] = (UNWATCHED,)
        metrics = TrainingMetrics(**{**known, **said})
        metrics.as_dict()
    except (TypeError, ValueError) as error:  # pydantic's are ValueErrors
        raise UsageError(
            "models/class",
            expected="fit to return a TrainingMetrics, a dict of numbers or nothing",
            came=str(error).splitlines()[0][:120],
            do="correct the model's fit",
            where=type(model).__name__,
        ) from None
    return metrics
