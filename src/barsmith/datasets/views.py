"""What every view promises: an array of samples that is gathered by index when it is asked for, and never stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

MOST_ROWS = 4096  # of a gather at a time


class View(ABC):
    """N samples of float32. `shape`, `len`, `view[rows]`, `np.asarray(view)` and `batches` as an array has them.

    `view[rows]` and `np.asarray` copy the samples that they return; `take` returns another view and copies none.
    """

    dtype = np.dtype(np.float32)

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(N, ...) of all samples."""

    @abstractmethod
    def take(self, rows: Any) -> Self:
        """The view of these samples."""

    @abstractmethod
    def gather(self, rows: np.ndarray) -> np.ndarray:
        """(len(rows), ...) float32 in C order: a copy of these samples."""

    @abstractmethod
    def is_finite(self) -> np.ndarray:
        """(N,) bool: samples without NaN or infinity, found without a copy of them."""

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that `np.asarray` would need; the view itself holds an index."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """A sample of a whole number, samples of a slice, a mask or row numbers; of a tuple the rest is taken from these."""
        rows, *rest = spread_out(rows, self.ndim)
        chosen = np.arange(len(self))[rows]
        samples = self.gather(chosen) if chosen.ndim else self.gather(chosen[None])[0]
        return samples[(slice(None),) * chosen.ndim + tuple(rest)] if rest else samples

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a view has no array of its own: np.asarray(view) makes one")
        out = np.empty(self.shape, self.dtype)
        for first in range(0, len(self), MOST_ROWS):
            rows = np.arange(first, min(first + MOST_ROWS, len(self)))
            out[rows[0] : rows[-1] + 1] = self.gather(rows)
        return out if dtype is None else out.astype(dtype, copy=False)

    def batches(self, size: int, order: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Arrays of `size` samples, the last of what is left. order: sample numbers, as a shuffled np.arange(len(view))."""
        order = np.arange(len(self)) if order is None else order
        for first in range(0, len(order), size):
            yield self.gather(order[first : first + size])


def spread_out(index: Any, axes: int) -> tuple[Any, ...]:
    """An index by axis, `...` as the whole axes that it stands for.

    >>> spread_out((..., 0), 3)
    (slice(None, None, None), slice(None, None, None), 0)
    """
    parts = index if isinstance(index, tuple) else (index,)
    places = [place for place, part in enumerate(parts) if part is Ellipsis]
    if not places:
        return parts
    whole = (slice(None),) * (axes - len(parts) + 1)
    return (*parts[: places[0]], *whole, *parts[places[0] + 1 :])


def whole_windows(is_good: np.ndarray, last: np.ndarray, length: int) -> np.ndarray:
    """Whether the `length` rows that end at each of `last` are all good. is_good: (R,) bool. last: any shape, >= length - 1."""
    bad_before = np.concatenate(([0], np.cumsum(~is_good)))
    return np.asarray(bad_before[last + 1] == bad_before[last - length + 1])
