"""Rows as PyTorch's DataLoader wants them: a map-style data set of NumPy samples, without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from barsmith.datasets.parts import Part

Sample = tuple[np.ndarray, np.int64, np.float32]


class Samples:
    """Sample i is (x, y, weight): x float32 of shape (F,), (T, F) or (R, T, 4); y int64 -1, 0 or +1; weight float32.

    torch.utils.data.DataLoader takes it as it is, with its own collate function, sampler and workers: `__getitems__` gathers the windows
    of a batch at once.
    """

    def __init__(self, part: Part) -> None:
        self.X, self.y, self.weight = part.X, part.y.astype(np.int64), part.weight.astype(np.float32)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, row: int) -> Sample:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: Sequence[int]) -> list[Sample]:
        at = np.asarray(rows, np.intp)
        return list(zip(self.X[at], self.y[at], self.weight[at], strict=True))
