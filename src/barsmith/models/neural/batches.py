"""Batches of windows gathered by index on the device, from one matrix: a copy of all windows is never made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from barsmith.datasets.rungs import RungWindows
from barsmith.datasets.windows import Windows
from barsmith.models.params import CLASSES

#: Sample numbers (n,) int64 on the device -> (n, ...) float32 there.
Gather = Callable[[torch.Tensor], torch.Tensor]


class OnDevice:
    """Arrays as tensors on a device, each brought there once, however many views share it."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._known: dict[int, tuple[np.ndarray, torch.Tensor]] = {}

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        """On the CPU the array's own memory."""
        if id(array) not in self._known:
            own = array if array.flags.writeable and array.flags.c_contiguous else array.copy()  # PyTorch has no read-only tensors
            self._known[id(array)] = array, torch.from_numpy(own).to(self.device)
        return self._known[id(array)][1]

    def gather(self, X: Any) -> Gather:
        """How samples of X are taken: windows from the matrix, rung windows from the prices, rows of an array as they are."""
        if isinstance(X, Windows):
            return self._windows(X)
        if isinstance(X, RungWindows):
            return self._rung_windows(X)
        if isinstance(X, np.ndarray):
            rows = self.tensor(X)
            return lambda which: rows.index_select(0, which)
        return lambda which: torch.from_numpy(X[which.cpu().numpy()]).to(self.device)  # a view of another kind gathers by itself

    def _windows(self, X: Windows) -> Gather:
        matrix, last = self.tensor(X.matrix.X), self.tensor(X.last)
        steps = torch.arange(1 - X.length, 1, device=self.device)

        def take(which: torch.Tensor) -> torch.Tensor:
            rows = last[which][:, None] + steps
            return matrix.index_select(0, rows.reshape(-1)).view(*rows.shape, -1)

        return take

    def _rung_windows(self, X: RungWindows) -> Gather:
        prices, last = self.tensor(X.bars.prices), self.tensor(X.last)
        steps = torch.arange(1 - X.length, 1, device=self.device)

        def take(which: torch.Tensor) -> torch.Tensor:
            rows = last[which][:, :, None] + steps
            window = prices.index_select(0, rows.reshape(-1)).view(*rows.shape, -1)
            return (window / window[:, :, -1:, 3:] - 1.0).float()  # in float64 and rounded once, as the view does

        return take


@dataclass(frozen=True, eq=False)
class Samples:
    """N samples on a device: how windows are taken, class numbers 0 1 2 (N,) int64, weights (N,) float32."""

    gather: Gather
    y: torch.Tensor
    weight: torch.Tensor

    @classmethod
    def of(cls, place: OnDevice, X: Any, y: Any, weight: np.ndarray) -> Samples:
        classes = torch.from_numpy(np.asarray(y, np.int64) + 1).to(place.device)
        return cls(place.gather(X), classes, torch.from_numpy(np.asarray(weight, np.float32)).to(place.device))

    def __len__(self) -> int:
        return len(self.y)


def loss_weights(y: np.ndarray, weight: np.ndarray | None, class_weights: str) -> np.ndarray:
    """(N,) float32 with a mean of one: the samples' weights, times N / (3 n_class) where `class_weights` is balanced."""
    found = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)
    if class_weights == "balanced":
        counts = np.bincount(np.asarray(y, np.int64) + 1, minlength=CLASSES)
        found = found * (len(y) / (CLASSES * np.maximum(counts, 1)))[np.asarray(y, np.int64) + 1]
    return (found / found.mean()).astype(np.float32)


def shares_of(n: int, size: int) -> list[slice]:
    """As few slices of 0..n-1 as hold at most `size` each, of sizes that differ by at most one: no batch is left with one sample.

    >>> [(part.start, part.stop) for part in shares_of(10, 4)]
    [(0, 4), (4, 7), (7, 10)]
    """
    edges = np.cumsum([0, *map(len, np.array_split(np.empty(n), -(-n // size)))]).tolist()
    return [slice(*edge) for edge in pairwise(edges)]
