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
    """What is large in a column. size: median of |value|. spread: mean distance from the median; both over the finite values."""

    size: float
    spread: float

    @classmethod
    def of(cls, column: np.ndarray) -> Scale:
        finite = column[np.isfinite(column)]
        if not len(finite):
            return cls(0.0, 0.0)
        return cls(float(np.median(np.abs(finite))), float(np.mean(np.abs(finite - np.median(finite)))))


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

    same_origin: both were computed from the same first bar on, in the same order, so that only last digits may differ: then
    rounding is also measured by the column's spread, and a small signal cannot hide on a large constant.
    """
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    equal = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(all="ignore"):
        apart = np.abs(found - expected)
        value = np.maximum(np.where(np.isfinite(expected), np.abs(expected), 0.0), scale.size)
        limit = ROUNDING * value
        if same_origin:
            limit = np.minimum(limit, np.maximum(ROUNDING * scale.spread, LAST_DIGITS * value))
        close = apart <= limit
    return Difference(~equal & ~close, ~equal & close, apart)
