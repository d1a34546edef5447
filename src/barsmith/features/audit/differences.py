"""When two readings of a feature differ: beyond rounding it is a leak, within it is told as rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Of max(|value|, the column's median size): less is rounding.
ROUNDING = 1e-9
#: What the last digits of a double may do to a value that is computed once more in the same order.
LAST_DIGITS = 16 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class Scale:
    """What is large in a column. size: median of |value| over the finite values."""

    size: float

    @classmethod
    def of(cls, column: np.ndarray) -> Scale:
        finite = column[np.isfinite(column)]
        if not len(finite):
            return cls(0.0)
        return cls(float(np.median(np.abs(finite))))


@dataclass(frozen=True)
class Difference:
    """Where two columns differ. leaks, rounds: (m,) bool, beyond rounding and within. size: (m,) |found - expected|, NaN where one is."""

    leaks: np.ndarray
    rounds: np.ndarray
    size: np.ndarray

    @property
    def first(self) -> int:
        """The first row that leaks."""
        return int(np.argmax(self.leaks))

    @property
    def at_first(self) -> float | None:
        """How large the first one is; None where a value stands against none."""
        return number(self.size[self.first])

    def __bool__(self) -> bool:
        return bool(self.leaks.any())


def number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def differing(found: np.ndarray, expected: np.ndarray, scale: Scale, *, same_origin: bool = True) -> Difference:
    """Compare two columns, row by row.

    same_origin: both were computed from the same first bar on, in the same order, so that only the value's own last digits may differ:
    a small signal hides neither on a large constant nor among large values.
    """
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    equal = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(all="ignore"):
        apart = np.abs(found - expected)
        value = np.maximum(np.where(np.isfinite(expected), np.abs(expected), 0.0), scale.size)
        limit = ROUNDING * value
        if same_origin:
            limit = np.minimum(limit, LAST_DIGITS * np.fmax(np.abs(expected), np.abs(found)))
        close = apart <= limit
    return Difference(~equal & ~close, ~equal & close, apart)
