"""Step kernels: what TA-Lib lacks, written as one Numba function of a state; batch is the compiled loop over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.compiled import njit
from barsmith.config import shown
from barsmith.errors import UsageError
from barsmith.features.graph import NAN, Expr, Operand, Several, Step, expr
from barsmith.features.plain import source_hash
from barsmith.features.steps import CompiledStep, Running

#: Numbers that a kernel may remember.
LARGEST_STATE = 10_000_000


@dataclass(frozen=True)
class Kernel(Several):
    """One use of a step kernel. Its state is a float64 vector that starts as NaN (a window not yet full)."""

    definition: StepKernel
    inputs: tuple[Expr, ...]
    params: tuple[float, ...]

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.definition.outputs

    @property
    def settling_bars(self) -> int:
        return int(self.definition.settling(*self.params))

    @property
    def settling_sessions(self) -> int:
        return self.definition.sessions

    def identity(self) -> str:
        return f"kernel {self.definition.name} {self.definition.source_hash} {[p.hex() for p in self.params]}"

    def read(self, *history: Any) -> tuple[Any, Step]:
        state = np.full(int(self.definition.size(*self.params)), NAN)
        running = Running(self.definition.compiled, state, self.params)
        return running.over(*history), running


class StepKernel:
    """`step(state, params, *x)` and what a node must know of it."""

    def __init__(
        self, step: Callable[..., Any], size: Callable[..., int], settling: Callable[..., int], sessions: int, outputs: Sequence[str]
    ) -> None:
        self.name, self.size, self.settling, self.sessions, self.outputs = step.__name__, size, settling, sessions, tuple(outputs)
        is_shipped = step.__module__.startswith("barsmith.")  # a user's module has no name that another process could import
        self.source_hash = source_hash(step, with_file=not is_shipped)
        self.__doc__ = step.__doc__
        self.compiled = CompiledStep(step, len(self.outputs), is_cached=is_shipped)

    def __call__(self, *inputs: Operand, **params: float | Sequence[float]) -> Kernel:
        """A node of this kernel. params: in the order in which `size` names them. Raises UsageError `config/out-of-range`."""
        node = Kernel(self, tuple(map(expr, inputs)), flat(params))
        size, settling = self.size(*node.params), self.settling(*node.params)
        if not (all(map(math.isfinite, node.params)) and 0 <= size <= LARGEST_STATE and size % 1 == 0 <= settling and settling % 1 == 0):
            raise UsageError(
                "config/out-of-range",
                expected=f"parameters of {self.name} that give windows of 1 to {LARGEST_STATE} whole bars",
                came=", ".join(f"{key} = {shown(value)}" for key, value in params.items()),
                do="correct the period",
            )
        return node


def flat(params: Mapping[str, float | Sequence[float]]) -> tuple[float, ...]:
    return tuple(float(v) for p in params.values() for v in np.ravel(p))


def kernel(
    size: Callable[..., int], settling: Callable[..., int], sessions: int = 0, outputs: Sequence[str] = ("value",)
) -> Callable[[Callable[..., Any]], StepKernel]:
    """Make a step kernel of `step(state, params, *x)`.

    size: length of the state for the given params. settling: bars after which the value no longer depends on where history began.
    sessions: how many sessions must begin before those bars count, for a kernel that starts anew with each.
    outputs: names of what step returns, in order.
    """
    return lambda step: StepKernel(step, size, settling, sessions, outputs)


@njit
def push(window: np.ndarray, x: float) -> None:
    """Oldest first: a window is summed in the order of time, from scratch, so its bits do not depend on where history began."""
    for i in range(len(window) - 1):
        window[i] = window[i + 1]
    window[-1] = x


@njit
def average(window: np.ndarray) -> float:
    total = 0.0
    for x in window:
        total += x
    return total / len(window)


@kernel(size=lambda n: n, settling=lambda n: n - 1)
def mean(state, params, x):  # type: ignore[no-untyped-def]
    """Average of the last n, summed afresh."""
    push(state, x)
    return average(state)


@kernel(size=lambda n: n, settling=lambda n: n - 1)
def zscore(state, params, x):  # type: ignore[no-untyped-def]
    """Distance from the window's mean in its standard deviations; 0 in a flat window, which measuring from x keeps exactly flat."""
    push(state, x)
    offset, s2 = 0.0, 0.0
    for v in state:
        offset += v - x
    offset /= len(state)
    for v in state:
        s2 += (v - x - offset) * (v - x - offset)
    return -offset / np.sqrt(s2 / len(state)) if s2 != 0.0 else 0.0
