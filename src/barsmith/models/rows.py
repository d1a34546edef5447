"""Checks on the rows that a model is handed: labels, numbers, weights, and that nothing is reported that a training has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from barsmith.datasets.views import View
from barsmith.errors import DataError, UsageError


def checked_rows(X: Any, names: Sequence[str] = (), n_features: int | None = None) -> np.ndarray:
    """(N, F) float32 in C order, all finite.

    Raises DataError `models/shape` for another shape or number of features, `models/nan-input` for NaN or infinity: a model never
    guesses a missing value, since features are settled before rows reach it.
    """
    if type(X) is not np.ndarray or X.dtype != np.float32 or not X.flags.c_contiguous:
        with np.errstate(over="ignore"):  # a number too large becomes infinite and is refused below
            X = np.ascontiguousarray(X, np.float32)
    if n_features is None:
        n_features = len(names) or None
    if X.ndim != 2 or (n_features is not None and X.shape[1] != n_features):
        columns = "" if n_features is None else f" with {n_features} features"
        raise DataError(
            "models/shape",
            expected=f"rows of shape (N, F){columns}",
            came=f"shape {X.shape}",
            do="give the columns that the model was trained on, in that order",
        )
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise DataError(
            "models/nan-input",
            expected="finite features",
            came=f"{X[row, column]} in row {row}, {names[column] if len(names) == X.shape[1] else f'column {column}'}",
            do="leave out rows whose features are not settled",
        )
    return X


def named(rows: np.ndarray, names: Sequence[str]) -> tuple[str, ...]:
    """The names of the features, f0, f1, ... where none are given."""
    return tuple(names) or tuple(f"f{i}" for i in range(rows.shape[-1]))


def checked_windows(X: Any, names: Sequence[str] = (), shape: Sequence[int] | None = None) -> Any:
    """Windows (N, T, F) of a sequence or (N, R, T, F) of several timeframes: a `View` as it is, anything else as float32 in C order.

    names: of the last axis. shape: of one window, where it is known. Raises DataError `models/shape`, `models/nan-input`.
    """
    if not isinstance(X, View) and (type(X) is not np.ndarray or X.dtype != np.float32 or not X.flags.c_contiguous):
        with np.errstate(over="ignore"):  # a number too large becomes infinite and is refused below
            X = np.ascontiguousarray(X, np.float32)
    given = tuple(X.shape)
    fits = len(given) in (3, 4) and given[-1] == (len(names) or given[-1]) and (shape is None or given[1:] == tuple(shape))
    if not fits:
        wanted = "(N, T, F) or (N, R, T, F)" if shape is None else f"(N, {', '.join(map(str, shape))})"
        raise DataError(
            "models/shape",
            expected=f"windows of shape {wanted}" + (f" with {len(names)} features" if names and shape is None else ""),
            came=f"shape {given}",
            do="give windows as the model was trained on, the columns in that order",
        )
    is_finite = X.is_finite() if isinstance(X, View) else np.isfinite(X).all(axis=tuple(range(1, X.ndim)))
    if not is_finite.all():
        raise DataError(
            "models/nan-input",
            expected="windows of finite features",
            came=f"one with NaN or infinity in it, in row {int(np.argmin(is_finite))}",
            do="leave out rows whose window is not settled",
        )
    return X


def checked_labels(y: Any, rows: int) -> np.ndarray:
    """(N,) int8 of -1, 0 and +1. Raises DataError `models/labels`."""
    given = np.asarray(y)
    if given.shape != (rows,) or given.dtype.kind not in "iuf" or not np.isin(given, (-1, 0, 1)).all():
        came = f"shape {given.shape}" if given.shape != (rows,) else f"{np.unique(given)[:5].tolist()}"
        raise DataError("models/labels", expected=f"{rows} labels -1, 0 or +1", came=came, do="leave out rows without a label")
    return np.ascontiguousarray(given, np.int8)


def checked_weights(weight: Any, rows: int) -> np.ndarray | None:
    """(N,) float32, finite, none negative, not all zero; None stays None. Raises DataError `models/weights`."""
    if weight is None:
        return None
    given = np.ascontiguousarray(weight, np.float32)
    if given.shape != (rows,) or not np.isfinite(given).all() or (given < 0).any() or (rows and not given.any()):
        came = f"shape {given.shape}" if given.shape != (rows,) else f"values from {given.min()} to {given.max()}"
        raise DataError(
            "models/weights", expected=f"{rows} finite weights >= 0, not all zero", came=came, do="correct the weights or leave them out"
        )
    return given


def checked_seed(seed: Any) -> int:
    """A whole number from 0 to 2^32 - 1. Raises UsageError `config/seed`."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise UsageError(
            "config/seed",
            expected="a whole number from 0 to 4294967295",
            came=repr(seed)[:60],
            do="set random_seed, or leave it out for 42",
        )
    return int(seed)


def check_rows_alone(
    predict: Callable[[Any], np.ndarray], X: Any, *, predict_alone: Callable[[Any], np.ndarray] | None = None, tries: int = 32
) -> None:
    """Refuse a model whose answer for a row depends on the rows beside it: live, a row comes alone.

    predict: (n, ...) rows or windows -> (n, 3) probabilities. X: N of them, or a view. predict_alone: of a copy that has not been asked
    for all rows, so that a predict that learns from them shows. Raises DataError `models/row-dependence` where any bit differs.
    """
    whole, predict_alone = predict(X), predict_alone or predict
    for row in np.unique(np.linspace(0, len(X) - 1, min(tries, len(X))).astype(np.intp)).tolist():
        alone = predict_alone(X[row : row + 1])[0]
        if alone.tobytes() != np.ascontiguousarray(whole[row]).tobytes():
            raise DataError(
                "models/row-dependence",
                expected="the same probabilities for a row alone as among others",
                came=f"row {row}: {alone.tolist()} alone, {whole[row].tolist()} among {len(X)} rows",
                do="let predict look at each row by itself and learn nothing: every mean and scale is learned in fit, and saved",
            )


def check_rows_disjoint(used_rows: Any, reported_rows: Any, *, used_for: str = "early stopping") -> None:
    """Refuse scores on rows that were learned from, stopped on or calibrated on.

    Rows are named by their number in one table, or by their decision time. Raises DataError `models/reported-rows`.
    """
    shared = np.intersect1d(np.asarray(used_rows), np.asarray(reported_rows))
    if len(shared):
        raise DataError(
            "models/reported-rows",
            expected=f"rows to report that {used_for} has not seen",
            came=f"{len(shared)} rows in both, the first {shared[0]}",
            do=f"take the rows for {used_for} from an inner, purged slice of the training rows",
        )
