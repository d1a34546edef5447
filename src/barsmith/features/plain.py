"""A user's own function of arrays: its value at a bar is what it gives for the last `lookback` bars, in both readings."""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barsmith.errors import BarsmithError, DataError, UsageError
from barsmith.features.graph import NAN, Expr, Step, close, datetime_, high, low, open_, volume


@dataclass(frozen=True)
class Bars:
    """The last bars, oldest first: read-only float64 arrays; datetime is datetime64[us], the bars' opens in UTC."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    datetime: np.ndarray

    def __len__(self) -> int:
        return len(self.close)


@dataclass(frozen=True)
class PlainFunction(Expr):
    """A function over `Bars`, called with exactly `lookback` bars at every bar.

    The tail reading is the definition: a function that looks at the end of its arrays cannot see the future through it, and
    what it gives live is what it gave in training.
    """

    name: str
    lookback: int
    source_hash: str
    function: Callable[[Bars], np.ndarray] = field(compare=False)
    inputs: tuple[Expr, ...] = (open_, high, low, close, volume, datetime_)

    @property
    def settling_bars(self) -> int:
        return self.lookback - 1

    def identity(self) -> str:
        return f"function {self.name} {self.lookback} {self.source_hash}"

    def read(self, *history: Any) -> tuple[Any, Step]:
        tail = aligned(len(self.inputs), self.lookback)
        stamps = np.zeros(self.lookback, "datetime64[us]")
        views = [row.view() for row in tail[:5]] + [stamps.view()]
        for view in views:
            view.flags.writeable = False
        bars, seen = Bars(*views), 0

        def step(*values: float) -> float:
            nonlocal seen
            tail[:, :-1] = tail[:, 1:]
            tail[:, -1] = values
            seen += 1
            if seen < self.lookback:
                return NAN
            stamps[:] = tail[5].astype(np.int64) * np.timedelta64(60_000_000, "us") + np.datetime64(0, "us")
            return self.called(bars)

        return np.array([step(*row) for row in zip(*history, strict=True)], np.float64), step

    def called(self, bars: Bars) -> float:
        try:
            result = numbers_of(self.function(bars))
        except BarsmithError:
            raise
        except Exception as error:  # whatever a user's code raises is told with the function's name
            raise DataError(
                "features/function-failed",
                expected=f"{self.name}(bars) to return an array of {self.lookback} numbers",
                came=f"{type(error).__name__}: {error}",
                do=f"mend the function; it is called with exactly {self.lookback} bars",
                where=f"feature {self.name}, bar {bars.datetime[-1]}",
            ) from error
        if result.shape != (self.lookback,):
            raise DataError(
                "features/shape",
                expected=f"{self.name}(bars) to return an array of {self.lookback} numbers",
                came=f"an array of shape {result.shape}",
                do="return one number for each bar that came in",
                where=f"feature {self.name}",
            )
        return float(result[-1])


def numbers_of(result: Any) -> np.ndarray:
    """float64 of what a function returned. Raises TypeError for what is no array of real numbers, which NumPy would bend into one."""
    found = np.asarray(result)
    if found.dtype.kind not in "fiub":
        raise TypeError(f"it returned {found.dtype}, not real numbers")
    return found.astype(np.float64)


def plain_function(function: Callable[[Bars], np.ndarray], lookback: int) -> PlainFunction:
    """A node of `function`. Raises UsageError `features/definition` for one without source."""
    return PlainFunction(function.__name__, lookback, source_hash(function), function)


def source_hash(function: Callable[..., Any], *, with_file: bool = True) -> str:
    """A hash of a function's text and, with_file, of the whole file that it stands in: its helpers and constants count.

    Raises UsageError `features/definition` for a function without source: it could not be told from another one.
    """
    try:
        source = textwrap.dedent(inspect.getsource(function))
        if with_file:
            source += "".join(inspect.findsource(function)[0])
    except (OSError, TypeError) as error:
        raise UsageError(
            "features/definition",
            expected="a function whose source can be read",
            came=str(error) or type(error).__name__,
            do="put the function into a file",
            where=f"feature {getattr(function, '__name__', type(function).__name__)}",
        ) from error
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def aligned(rows: int, columns: int) -> np.ndarray:
    """(rows, columns) float64 on a 64-byte boundary: a BLAS call's bits may depend on where its arrays lie."""
    raw = np.empty(rows * columns * 8 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    out = raw[start : start + rows * columns * 8].view(np.float64).reshape(rows, columns)
    out[:] = NAN
    return out
