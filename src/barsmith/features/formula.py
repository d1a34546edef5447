"""An expression as text in the language it was written in: `eval` of the text gives an equal expression."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from barsmith.features.graph import Column, Constant, Expr, Field, Lag, On, Pointwise, Several
from barsmith.features.indicators import Talib
from barsmith.features.kernels import Kernel
from barsmith.features.plain import PlainFunction
from barsmith.features.scale import Ratio


@runtime_checkable
class Written(Protocol):
    """A node that writes itself, given its inputs' texts."""

    def written(self, inputs: Sequence[str]) -> str: ...


#: Symbol and precedence of what Python writes between its operands.
BETWEEN = {"add": ("+", 1), "subtract": ("-", 1), "multiply": ("*", 2), "divide": ("/", 2)}
NEGATIVE, WHOLE = 3, 4
SPELLED = {"open": "open_", "datetime": "datetime_", "end": "end_"}  # names that Python or a module has taken


def formula(e: Expr) -> str:
    """`ta.RSI(close, timeperiod=14) / 100`."""
    return written(e)[0]


def written(e: Expr) -> tuple[str, int]:
    """The text and how tightly it holds together."""
    if isinstance(e, Column):
        return SPELLED.get(e.name, e.name), WHOLE
    if isinstance(e, Constant):
        return number(e.value), WHOLE if e.value >= 0 else NEGATIVE
    if isinstance(e, Pointwise):
        return pointwise(e)
    if isinstance(e, Field):
        (whole,) = e.inputs
        assert isinstance(whole, Several)
        return f"{formula(whole)}.{whole.outputs[e.index]}", WHOLE
    if isinstance(e, PlainFunction):
        return f"{e.name}(bars)", WHOLE
    return call(e), WHOLE


def pointwise(e: Pointwise) -> tuple[str, int]:
    if e.name in BETWEEN:
        sign, strength = BETWEEN[e.name]
        left, right = e.inputs
        return f"{held(left, strength)} {sign} {held(right, strength + 1)}", strength
    if e.name == "negative":
        return f"-{held(e.inputs[0], NEGATIVE)}", NEGATIVE
    return f"{e.name}({', '.join(map(formula, e.inputs))})", WHOLE


def held(e: Expr, strength: int) -> str:
    """The operand, in parentheses where it would fall apart."""
    text, own = written(e)
    return text if own >= strength else f"({text})"


def call(e: Expr) -> str:
    inputs = [formula(each) for each in e.inputs]
    if isinstance(e, Lag):
        return f"lag({inputs[0]}, {e.bars})"
    if isinstance(e, Ratio):
        settings = [f"{name}={number(value)}" for name, value in (("flat", e.flat), ("least", e.least)) if value]
        return f"ratio({', '.join([*inputs, *settings])})"
    if isinstance(e, On):
        return f'on("{e.timeframe}", {inputs[0]})'
    if isinstance(e, Talib):
        return f"ta.{e.name}({', '.join([*inputs, *(f'{key}={number(value)}' for key, value in e.params)])})"
    if isinstance(e, Kernel):
        return f"{e.definition.name}({', '.join([*inputs, *named_params(e)])})"
    if isinstance(e, Written):
        return e.written(inputs)
    raise TypeError(f"no text for a {type(e).__name__}")


def named_params(e: Kernel) -> list[str]:
    """A kernel's params under the names that its `size` gives them; the last takes the rest where it takes several."""
    names = list(inspect.signature(e.definition.size).parameters.values())
    values = [number(value) for value in e.params]
    single = [name for name in names if name.kind is not inspect.Parameter.VAR_POSITIONAL]
    said = [f"{name.name}={value}" for name, value in zip(single, values, strict=False)]
    rest = values[len(single) :]
    return [*said, f"{names[-1].name}=[{', '.join(rest)}]"] if rest else said


def number(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
