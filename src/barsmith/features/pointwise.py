"""Pointwise maths as compiled steps without a state: every sign of zero, NaN and infinity is said here, once for both readings."""

from __future__ import annotations

import math
from typing import Any

from barsmith.features.steps import CompiledStep

Params = tuple[()]


def add(state: Any, params: Params, a: float, b: float) -> float:
    return a + b


def subtract(state: Any, params: Params, a: float, b: float) -> float:
    return a - b


def multiply(state: Any, params: Params, a: float, b: float) -> float:
    return a * b


def divide(state: Any, params: Params, a: float, b: float) -> float:
    return a / b


def negative(state: Any, params: Params, a: float) -> float:
    return -a


def absolute(state: Any, params: Params, a: float) -> float:
    return abs(a)


def maximum(state: Any, params: Params, a: float, b: float) -> float:
    """The first of two equals, so of two zeros; NaN where either is."""
    return a if a >= b or a != a else b


def minimum(state: Any, params: Params, a: float, b: float) -> float:
    """The first of two equals, so of two zeros; NaN where either is."""
    return a if a <= b or a != a else b


def sign(state: Any, params: Params, a: float) -> float:
    """1, -1, or 0 for both zeros; NaN of NaN."""
    return 1.0 if a > 0.0 else -1.0 if a < 0.0 else 0.0 if a == 0.0 else a


def sqrt(state: Any, params: Params, a: float) -> float:
    return math.sqrt(a)


def log(state: Any, params: Params, a: float) -> float:
    return math.log(a)


def tanh(state: Any, params: Params, a: float) -> float:
    return math.tanh(a)


def sin(state: Any, params: Params, a: float) -> float:
    return math.sin(a)


def cos(state: Any, params: Params, a: float) -> float:
    return math.cos(a)


def quotient(state: Any, params: tuple[float, float], above: float, below: float) -> float:
    """above / below; the first param where below is not larger in size than the second."""
    return params[0] if -params[1] <= below <= params[1] else above / below


def before(state: Any, params: Params, x: float) -> float:
    """The value as many bars ago as the state has places but one; the last place holds where the next value goes."""
    at = int(state[-1])
    found = state[at]
    state[at] = x
    state[-1] = at + 1 if at + 2 < len(state) else 0
    return found


#: By the name of a `Pointwise` node.
POINTWISE = {
    step.__name__: CompiledStep(step, 1, is_cached=True)
    for step in (add, subtract, multiply, divide, negative, absolute, maximum, minimum, sign, sqrt, log, tanh, sin, cos)
}
QUOTIENT, BEFORE = CompiledStep(quotient, 1, is_cached=True), CompiledStep(before, 1, is_cached=True)
