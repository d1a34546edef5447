"""Robust scaling: median and interquartile range of the training slice, applied to every row, clipped."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.artifacts import parse_json
from barsmith.errors import DataError, IntegrityError

ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class RobustScaler:
    """(x - median) / IQR, clipped at plus and minus `clip`. Arrays are (F,); an IQR of 0 counts as 1. NaN stays NaN.

    passed: columns that are not scaled, because they go from -1 to 1 anyway: their median is 0 and their IQR 1.
    """

    names: tuple[str, ...]
    median: np.ndarray
    iqr: np.ndarray
    clip: float = 5.0
    passed: tuple[str, ...] = ()

    @classmethod
    def fit(cls, X: np.ndarray, names: Sequence[str], clip: float = 5.0, passed: Collection[str] = ()) -> RobustScaler:
        """Learn from (N, F) training rows and no others; values that are not finite are left out, a column without any gets 0 and 1.

        passed: names of columns that are not to be scaled.
        Raises DataError `datasets/scaler` for names that do not fit the columns, or no rows at all, `scaling/bounds` for a passed column
        with values outside -1 to 1.
        """
        X = np.asarray(X, np.float64)
        if X.ndim != 2 or X.shape[1] != len(names) or not len(X):
            raise DataError(
                "datasets/scaler",
                expected=f"training rows with {len(names)} columns",
                came=f"an array of shape {X.shape}",
                do="fit the scaler on the training slice of the same features",
            )
        median, iqr = np.zeros(len(names)), np.ones(len(names))
        for j in range(len(names)):
            finite = X[np.isfinite(X[:, j]), j]
            if names[j] in passed:
                _check_bounds(names[j], finite)
            elif len(finite):
                low, median[j], high = np.percentile(finite, (25, 50, 75))
                iqr[j] = high - low if high > low else 1.0
        return cls(tuple(names), median, iqr, float(clip), tuple(name for name in names if name in passed))

    def apply(self, X: np.ndarray) -> np.ndarray:
        """(N, F) float64, scaled and clipped, in C order. A row alone gives the bits that it gives among others."""
        return np.clip((np.asarray(X, np.float64) - self.median) / self.iqr, -self.clip, self.clip)

    def of(self, names: Sequence[str]) -> RobustScaler:
        """The scaler of these columns, in this order."""
        places = [self.names.index(name) for name in names]
        return RobustScaler(
            tuple(names), self.median[places], self.iqr[places], self.clip, tuple(name for name in names if name in self.passed)
        )

    def to_json(self) -> str:
        """Numbers in the shortest form that reads back to the same bits."""
        columns: list[dict[str, Any]] = [
            {"name": n, "median": m, "iqr": q} | ({"passed": True} if n in self.passed else {})
            for n, m, q in zip(self.names, self.median.tolist(), self.iqr.tolist(), strict=True)
        ]
        return json.dumps({"kind": "robust", "clip": self.clip, "columns": columns}, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> RobustScaler:
        """The inverse of `to_json`. Raises IntegrityError `datasets/scaler-file`."""
        try:
            stored = parse_json(text.encode() if isinstance(text, str) else text, "the scaler", code="datasets/scaler-file")
            columns = stored["columns"]
            names = tuple(str(column["name"]) for column in columns)
            median, iqr = (np.array([float(column[key]) for column in columns]) for key in ("median", "iqr"))
            clip = float(stored["clip"])
            passed = tuple(name for name, column in zip(names, columns, strict=True) if column.get("passed") is True)
            untouched = all((median[j], iqr[j]) == (0.0, 1.0) for j, name in enumerate(names) if name in passed)
            sound = (
                untouched
                and stored["kind"] == "robust"
                and np.isfinite(median).all()
                and np.isfinite(iqr).all()
                and (iqr > 0).all()
                and clip > 0
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(str(error) or type(error).__name__) from error
        if not sound:
            raise _damaged("another kind, or numbers that no scaler has")
        return cls(names, median, iqr, clip, passed)


def _check_bounds(name: str, values: np.ndarray) -> None:
    if len(values) and max(-values.min(), values.max()) > 1.0 + ROUNDING:
        raise DataError(
            "scaling/bounds",
            expected=f"values of {name} from -1 to 1, as its unit says",
            came=f"{values.min():g} to {values.max():g} in train",
            do=f"correct the unit of {name}, or take its kind out of scaling.pass_through",
        )


def _damaged(came: str) -> IntegrityError:
    return IntegrityError(
        "datasets/scaler-file",
        expected="a robust scaler with finite medians and interquartile ranges above 0",
        came=came,
        do="run the scaling stage again",
    )
