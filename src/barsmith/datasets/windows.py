"""Sequences: the last T rows of the feature matrix up to each decision, gathered by index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.datasets.matrix import FeatureMatrix
from barsmith.datasets.views import View, whole_windows


@dataclass(frozen=True, eq=False)
class Windows(View):
    """(N, T, F) float32: the T base bars up to and with row last[i] of the matrix, oldest first. last: (N,) int64."""

    matrix: FeatureMatrix
    last: np.ndarray
    length: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.last), self.length, self.matrix.X.shape[1])

    def take(self, rows: Any) -> Windows:
        return Windows(self.matrix, self.last[rows], self.length)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        return self.matrix.X[self.last[rows][:, None] + np.arange(1 - self.length, 1)]

    def is_finite(self) -> np.ndarray:
        return whole_windows(np.isfinite(self.matrix.X).all(axis=1), self.last, self.length)


def window_faults(matrix: FeatureMatrix, last: np.ndarray, length: int, *, within_session: bool) -> dict[str, np.ndarray]:
    """Why the window that ends at each row cannot be used: {reason: (N,) bool}, each row under its first reason only.

    window_too_early: it begins before the data, or before a gap in the tables. window_across_sessions: only with within_session.
    window_unsettled: one of its rows has not settled.
    """
    first = last - length + 1
    too_early = first < 0
    first = np.maximum(first, 0)
    too_early |= matrix.stretch[first] != matrix.stretch[last]
    across = matrix.session[first] != matrix.session[last] if within_session else np.zeros(len(last), np.bool_)
    unsettled_before = np.concatenate(([0], np.cumsum(~matrix.is_settled)))
    unsettled = unsettled_before[last + 1] != unsettled_before[first]
    found = {"window_too_early": too_early}
    if within_session:
        found["window_across_sessions"] = across & ~too_early
    return found | {"window_unsettled": unsettled & ~too_early & ~across}
