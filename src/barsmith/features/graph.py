"""The feature graph: an expression is a value with one reading, over a history or one bar at a time, with the same bits.

`read(*history) -> (column, step)`: the column over the history, and the function that continues it bar by bar.
Batch keeps the column, live keeps the step; there is no second definition of anything.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.errors import UsageError
from barsmith.features.pointwise import BEFORE, POINTWISE
from barsmith.features.steps import Running

NAN = float("nan")
Step = Callable[..., Any]

#: What a bar offers to an expression, in the order in which ladder and live buckets hand it over.
BAR_FIELDS = ("open", "high", "low", "close", "volume", "session", "minute", "session_length", "weekday", "datetime", "end")


class Expr:
    """A feature's definition. Equal expressions are equal values, so they are computed once."""

    inputs: tuple[Expr, ...]

    @property
    def settling_bars(self) -> int:
        """Bars of its own timeframe that this node needs after its inputs have settled."""
        return 0

    @property
    def settling_sessions(self) -> int:
        """Sessions that must have begun after its inputs have settled, before its bars count."""
        return 0

    def settling_on(self, minutes: int) -> int:
        """All of it in bars of a timeframe of so many minutes: after a day's worth of bars another session has begun."""
        return self.settling_bars + self.settling_sessions * -(-1440 // minutes)

    def identity(self) -> str:
        """What distinguishes this node from others with the same inputs, the same in every process."""
        return type(self).__name__

    def read(self, *history: Any) -> tuple[Any, Step]:
        raise TypeError(f"{type(self).__name__} is read by the plan")

    def __add__(self, other: Operand) -> Expr:
        return Pointwise("add", (self, expr(other)))

    def __radd__(self, other: Operand) -> Expr:
        return Pointwise("add", (expr(other), self))

    def __sub__(self, other: Operand) -> Expr:
        return Pointwise("subtract", (self, expr(other)))

    def __rsub__(self, other: Operand) -> Expr:
        return Pointwise("subtract", (expr(other), self))

    def __mul__(self, other: Operand) -> Expr:
        return Pointwise("multiply", (self, expr(other)))

    def __rmul__(self, other: Operand) -> Expr:
        return Pointwise("multiply", (expr(other), self))

    def __truediv__(self, other: Operand) -> Expr:
        return Pointwise("divide", (self, expr(other)))

    def __rtruediv__(self, other: Operand) -> Expr:
        return Pointwise("divide", (expr(other), self))

    def __neg__(self) -> Expr:
        return Pointwise("negative", (self,))

    def __abs__(self) -> Expr:
        return Pointwise("absolute", (self,))


Operand = Expr | float | int


def expr(x: Operand) -> Expr:
    return x if isinstance(x, Expr) else Constant(float(x))


@dataclass(frozen=True)
class Column(Expr):
    """A column of the bars of whichever timeframe the expression is read on."""

    name: str
    inputs: tuple[Expr, ...] = ()

    def identity(self) -> str:
        return self.name


@dataclass(frozen=True)
class Constant(Expr):
    value: float
    inputs: tuple[Expr, ...] = ()

    def identity(self) -> str:
        return self.value.hex()


@dataclass(frozen=True)
class Pointwise(Expr):
    """Maths of one bar's values, by its name in `POINTWISE`."""

    name: str
    inputs: tuple[Expr, ...]

    def identity(self) -> str:
        return self.name

    def read(self, *history: Any) -> tuple[Any, Step]:
        running = Running(POINTWISE[self.name], np.empty(0))
        return running.over(*history), running


@dataclass(frozen=True)
class Lag(Expr):
    """The value some bars ago."""

    inputs: tuple[Expr, ...]
    bars: int

    @property
    def settling_bars(self) -> int:
        return self.bars

    def identity(self) -> str:
        return f"lag {self.bars}"

    def read(self, *history: Any) -> tuple[Any, Step]:
        state = np.full(self.bars + 1, NAN)
        state[-1] = 0.0
        running = Running(BEFORE, state)
        return running.over(*history), running


class Several(Expr):
    """An expression with named outputs: `macd.macdhist` is a Field of it."""

    outputs: tuple[str, ...]

    def __getattr__(self, name: str) -> Field:
        if name.startswith("_") or name not in self.outputs:
            raise AttributeError(name)
        return Field((self,), self.outputs.index(name))


@dataclass(frozen=True)
class Field(Expr):
    """One of several outputs."""

    inputs: tuple[Expr, ...]
    index: int

    def identity(self) -> str:
        return f"field {self.index}"

    def read(self, *history: Any) -> tuple[Any, Step]:
        return history[0][self.index], operator.itemgetter(self.index)


@dataclass(frozen=True)
class On(Expr):
    """An expression of another timeframe's bars, as known at the base bar's close."""

    timeframe: str
    inputs: tuple[Expr, ...]

    def identity(self) -> str:
        return f"on {self.timeframe}"


def lag(x: Operand, bars: int) -> Expr:
    """The value `bars` bars ago; 0 is the value itself. A negative lag would read the future and is refused."""
    if not isinstance(bars, int) or bars < 0:
        raise UsageError(
            "features/negative-lag",
            expected="a lag of 0 or more bars",
            came=repr(bars),
            do="look back, not ahead: a feature of bar t may use bars up to and including t",
        )
    return Lag((expr(x),), bars) if bars else expr(x)


def on(timeframe: str, x: Expr) -> Expr:
    """An expression read on the bars of another timeframe; a base bar sees a bar from the moment it is closed."""
    return On(timeframe, (expr(x),))


def log(x: Operand) -> Expr:
    return Pointwise("log", (expr(x),))


def sqrt(x: Operand) -> Expr:
    return Pointwise("sqrt", (expr(x),))


def tanh(x: Operand) -> Expr:
    return Pointwise("tanh", (expr(x),))


def sin(x: Operand) -> Expr:
    return Pointwise("sin", (expr(x),))


def cos(x: Operand) -> Expr:
    return Pointwise("cos", (expr(x),))


def sign(x: Operand) -> Expr:
    return Pointwise("sign", (expr(x),))


def absolute(x: Operand) -> Expr:
    return Pointwise("absolute", (expr(x),))


def maximum(a: Operand, b: Operand) -> Expr:
    return Pointwise("maximum", (expr(a), expr(b)))


def minimum(a: Operand, b: Operand) -> Expr:
    return Pointwise("minimum", (expr(a), expr(b)))


open_, high, low, close, volume, session, minute, session_length, weekday, datetime_, end_ = map(Column, BAR_FIELDS)


def final(column: Any) -> Any:
    """The last value of a column, of each of several columns; NaN before the first bar."""
    if isinstance(column, tuple):
        return tuple(final(each) for each in column)
    return float(column[-1]) if len(column) else NAN
