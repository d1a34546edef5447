"""What happens when a bar of one timeframe closes: its fields are loaded, compiled steps run in one call and the others one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from barsmith.features.graph import BAR_FIELDS, NAN, Column, Field, On, Several, Step
from barsmith.features.plan import Plan
from barsmith.features.steps import Running, run

#: A step, where its inputs stand, where its outputs go.
Call = tuple[Step, tuple[int, ...], tuple[int, ...]]
#: The addresses of compiled steps and of their records, then what is called after them.
Turn = tuple[np.ndarray, np.ndarray, list[Call]]


class Cells:
    """The last value of every node of a plan, in one array: a node with several outputs has as many places.

    A field stands where its whole has it; an On where its input stands: the value as last closed.
    """

    def __init__(self, plan: Plan, values: Sequence[Any]) -> None:
        self.places: list[tuple[int, ...]] = []
        size = 0
        for node in plan.nodes:
            if isinstance(node.expr, On):
                self.places.append(self.places[node.inputs[0]])
            elif isinstance(node.expr, Field):
                self.places.append((self.places[node.inputs[0]][node.expr.index],))
            else:
                width = len(node.expr.outputs) if isinstance(node.expr, Several) else 1
                self.places.append(tuple(range(size, size + width)))
                size += width
        self.values = np.full(size, NAN)
        for node, places, value in zip(plan.nodes, self.places, values, strict=True):
            if not isinstance(node.expr, On | Field):
                self.values[list(places)] = value
        self.numbers: Any = memoryview(self.values)  # type: ignore[arg-type]  # Python's own floats in and out, and faster than the array

    def addresses(self, places: Iterable[int]) -> list[int]:
        return [self.values.ctypes.data + 8 * place for place in places]


class Program:
    """The nodes of one timeframe on their cells, in turns: first compiled steps, then the other steps that need them are called."""

    def __init__(self, plan: Plan, timeframe: str, steps: Sequence[Step | None], cells: Cells) -> None:
        self.cells = cells
        mine = [(j, node) for j, node in enumerate(plan.nodes) if node.timeframe == timeframe]
        self.loads = [(cells.places[j][0], BAR_FIELDS.index(node.expr.name)) for j, node in mine if isinstance(node.expr, Column)]
        self.running: list[Running] = []
        made = [0] * len(plan.nodes)  # 2t: by the compiled steps of turn t, or before; 2t + 1: by what is called after them
        parts: dict[int, list[int]] = {}
        for j, node in mine:
            step, last = steps[j], max((made[i] for i in node.inputs), default=0)
            if isinstance(node.expr, Field):
                made[j] = last
            elif step is not None:
                made[j] = last + last % 2 if isinstance(step, Running) else last | 1
                parts.setdefault(made[j], []).append(j)
        self.turns: list[Turn] = []
        for first in range(0, max(parts, default=-1) + 1, 2):
            compiled = [self.aimed(plan, j, steps[j]) for j in parts.get(first, ())]
            functions, records = np.array(compiled, np.int64).reshape(-1, 2).T.copy()
            self.turns.append((functions, records, [self.call(plan, j, steps[j]) for j in parts.get(first + 1, ())]))

    def aimed(self, plan: Plan, j: int, step: Any) -> tuple[int, int]:
        """The addresses of a compiled step and of its record, which now points to the node's cells."""
        places = [place for i in (*plan.nodes[j].inputs, j) for place in self.cells.places[i]]
        step.aim(self.cells.addresses(places))
        self.running.append(step)
        return step.function, step.record.ctypes.data

    def call(self, plan: Plan, j: int, step: Any) -> Call:
        inputs = [self.cells.places[i] for i in plan.nodes[j].inputs]
        flat = tuple(place for places in inputs for place in places)
        return step if len(flat) == len(inputs) else gathering(step, [len(places) for places in inputs]), flat, self.cells.places[j]

    def close(self, fields: Sequence[float]) -> None:
        """A bar has closed. fields: as `BAR_FIELDS` names them."""
        numbers = self.cells.numbers
        for place, field in self.loads:
            numbers[place] = fields[field]
        for functions, records, calls in self.turns:
            run(functions, records, 1)
            for step, inputs, outputs in calls:
                if len(inputs) == 1:
                    found = step(numbers[inputs[0]])
                elif len(inputs) == 2:
                    found = step(numbers[inputs[0]], numbers[inputs[1]])
                else:
                    found = step(*[numbers[i] for i in inputs])
                if len(outputs) == 1:
                    numbers[outputs[0]] = found
                else:
                    for place, value in zip(outputs, found, strict=True):
                        numbers[place] = value


def gathering(step: Step, widths: Sequence[int]) -> Step:
    """A step some of whose inputs have several outputs, and come as tuples."""

    def gathered(*numbers: float) -> Any:
        rest = iter(numbers)
        return step(*[next(rest) if width == 1 else tuple(islice(rest, width)) for width in widths])

    return gathered
