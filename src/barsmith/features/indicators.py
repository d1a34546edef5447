"""TA-Lib functions as graph nodes: `open_and_fill` gives the column and the handle that continues it, bitwise equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import talib
from talib import abstract, stream

from barsmith.config import shown
from barsmith.errors import UsageError, did_you_mean
from barsmith.features.graph import NAN, Column, Expr, Operand, Several, Step, expr, final

#: Bars per period, after the first value, until a recursive function has forgotten where it began, to 1e-9 of the column's size.
#: Measured by tests/features/test_settling.py: exponential averages need 10 to 12, Wilder's 20 to 25, Kaufman's up to 34.
MEMORY = {
    "EMA": 13, "DEMA": 14, "TEMA": 14, "T3": 14, "ZLEMA": 13, "TRIX": 14, "MACD": 13, "MACDEXT": 13, "MACDFIX": 40, "APO": 13, "PPO": 13,
    "PVO": 13, "ADOSC": 13, "EFI": 13, "ERI": 13, "TSI": 14, "SMI": 14, "CVI": 13, "MASSI": 13, "KAMA": 50, "MAMA": 40, "HT_TRENDLINE": 40,
    "RMA": 25, "RSI": 27, "CMO": 27, "ATR": 25, "NATR": 25, "KC": 26, "RVI": 26, "KDJ": 26, "STOCHRSI": 27, "DX": 27,
    "PLUS_DI": 25, "MINUS_DI": 25, "PLUS_DM": 25, "MINUS_DM": 25, "ADX": 28, "ADXR": 28, "SAR": 40, "SAREXT": 40, "SUPERTREND": 40, "HA": 5,
}  # fmt: skip
#: Values that never forget: sums and counts since the origin, and cycles that follow it. A feature uses changes over a window instead.
LEVELS = {
    "OBV", "AD", "PVT", "NVI", "PVI", "WAD", "VWAP", "CUMSUM", "MAXINDEX", "MININDEX", "MINMAXINDEX",
    "HT_DCPERIOD", "HT_DCPHASE", "HT_PHASOR", "HT_SINE", "HT_TRENDMODE",
}  # fmt: skip


@cache
def described(name: str) -> Any:
    try:
        return abstract.Function(name)  # type: ignore[attr-defined]
    except Exception as error:  # TA-Lib raises a plain Exception for an unknown name
        raise UsageError(
            "features/unknown-indicator",
            expected="the name of a TA-Lib function",
            came=repr(name),
            do=did_you_mean(name, talib.get_functions()),
        ) from error


@cache
def output_names(name: str) -> tuple[str, ...]:
    return tuple(described(name).output_names)


@dataclass(frozen=True)
class Talib(Several):
    """A TA-Lib function. An input that is not finite is held at its last finite value, in both readings:
    the array function would be poisoned to the end by one NaN, and the handle refuses it. Leading gaps stay NaN."""

    name: str
    inputs: tuple[Expr, ...]
    params: tuple[tuple[str, float], ...]

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return output_names(self.name)

    @property
    def settling_bars(self) -> int:
        function = abstract.Function(self.name, **dict(self.params))  # type: ignore[attr-defined]
        if self.name not in MEMORY:
            return int(function.lookback)
        periods = [v for k, v in function.parameters.items() if k.endswith("period")]
        return int(function.lookback + MEMORY[self.name] * max(periods, default=10))

    def identity(self) -> str:
        return f"talib {self.name} {self.params}"

    def read(self, *history: Any) -> tuple[Any, Step]:
        size, width = len(history[0]), len(self.outputs)
        is_raw = [isinstance(i, Column) for i in self.inputs]  # raw bars are finite: they were checked at the door
        history = tuple(x if raw else held(x) for x, raw in zip(history, is_raw, strict=True))
        start = max(leading_gap(x) for x in history)
        try:
            if size - start <= abstract.Function(self.name, **dict(self.params)).lookback:  # type: ignore[attr-defined]
                raise talib.InsufficientHistory  # it would aim its output past the end, and refuse what happens to lie there
            opened = getattr(stream, self.name).open_and_fill(*(x[start:] for x in history), **dict(self.params))
        except talib.InsufficientHistory:
            rows = list(zip(*(x[start:] for x in history), strict=True))
            return outputs_of(np.full((width, size), NAN)), self.opening(rows, [final(x) for x in history])
        handle, filled = opened
        first = start + handle.out_range.begidx
        columns = [column_of(values, start, first) for values in (filled if width > 1 else (filled,))]
        if all(is_raw):
            return outputs_of(columns), handle.update
        return outputs_of(columns), holding(handle.update, [final(x) for x in history])

    def opening(self, rows: list[tuple[float, ...]], last: list[float]) -> Step:
        """Collect bars until TA-Lib can start, then hand over to its handle."""
        update: Step | None = None
        nothing = outputs_of([NAN] * len(self.outputs))

        def step(*values: float) -> Any:
            nonlocal update
            if update:
                return update(*values)
            last[:] = [v if v - v == 0.0 else before for v, before in zip(values, last, strict=True)]
            if all(v == v for v in last):
                rows.append(tuple(last))
                try:
                    handle = getattr(stream, self.name)(*map(np.array, zip(*rows, strict=True)), **dict(self.params))
                except talib.InsufficientHistory:
                    return nothing
                update = holding(handle.update, last)
                return handle.value
            return nothing

        return step


def column_of(values: np.ndarray, start: int, first: int) -> np.ndarray:
    """What TA-Lib returned for the bars from `start` on, float64; NaN before the first one that it could answer for."""
    column = values if not start and values.dtype == np.float64 else np.concatenate([np.full(start, NAN), values])
    column[:first] = NAN
    return column


def held(x: np.ndarray) -> np.ndarray:
    """Forward fill of what is not finite; leading gaps are NaN."""
    bad = ~np.isfinite(x)
    if not bad.any():
        return x
    last = np.maximum.accumulate(np.where(bad, -1, np.arange(len(x))))
    return np.where(last < 0, NAN, x[last])


def leading_gap(x: np.ndarray) -> int:
    """How many values are NaN before the first that is a number, in a column without gaps after it."""
    if not len(x) or x[0] == x[0]:
        return 0
    return len(x) if x[-1] != x[-1] else int(np.argmax(x == x))


def holding(update: Step, last: list[float]) -> Step:
    def step(*values: float) -> Any:
        for i, x in enumerate(values):
            if x - x == 0.0:
                last[i] = x
        return update(*last)

    return step


def outputs_of(columns: Any) -> Any:
    return tuple(columns) if len(columns) > 1 else columns[0]


def checked(name: str, params: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, float], ...]:
    """The parameters as TA-Lib wants them: 14.0 is the period 14. Raises UsageError `config/out-of-range`."""
    defaults = described(name).parameters
    try:
        wanted = tuple((key, type(defaults[key])(value) if value == value // 1 else value) for key, value in params)
        fits = abstract.Function(name, **dict(wanted)).lookback >= 0  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise UsageError(
            "config/out-of-range",
            expected=f"parameters that TA-Lib's {name} takes (a period is a whole number, 2 or more for most, 100000 at most)",
            came=", ".join(f"{key} = {shown(value)}" for key, value in params),
            do="correct the value",
        )
    return wanted


class TalibNames:
    """`ta.RSI(close, timeperiod=14)`: any TA-Lib function by its name, over expressions."""

    def __getattr__(self, name: str) -> Callable[..., Talib]:
        if name.startswith("_"):
            raise AttributeError(name)
        known = described(name).parameters

        def node(*inputs: Operand, **params: float) -> Talib:
            for key in params:
                if key not in known:
                    raise UsageError(
                        "features/unknown-parameter", expected=f"parameters of TA-Lib's {name}", came=repr(key), do=did_you_mean(key, known)
                    )
            wanted = sum(len(names) if isinstance(names, list) else 1 for names in described(name).input_names.values())
            if len(inputs) != wanted:
                do = f"give it {described(name).input_names}"
                raise UsageError("features/definition", expected=f"{wanted} inputs of TA-Lib's {name}", came=str(len(inputs)), do=do)
            return Talib(name, tuple(map(expr, inputs)), checked(name, tuple(sorted(params.items()))))

        return node


ta = TalibNames()
