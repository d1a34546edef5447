"""The picture of a feature's graph: a tree in which arithmetic stays on one line and a node that is read twice is drawn once."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from barsmith.bars.base_bars import bar_kind
from barsmith.features.formula import formula
from barsmith.features.graph import Column, Constant, Expr, Field, Lag, On, Pointwise, Several
from barsmith.features.scale import Ratio

LEAVES = (Column, Constant)
#: What a reader takes for arithmetic: it is written into the line of the node that reads it.
ARITHMETIC = (Pointwise, Ratio, Lag, Field, On)
#: Levels of lines that are drawn below the feature itself.
DEPTH = 6

Place = tuple[str, Expr]
"""A node of the graph: an expression, on the bars of a timeframe."""


@dataclass
class Line:
    """A node that has a line of its own. number: others name it `#1`; 0 is the feature. text: its formula, other lines by number.

    readers: nodes that read it. below: the lines that are named here first.
    """

    number: int
    timeframe: str
    text: str
    readers: int
    settling_bars: int
    settling_sessions: int
    reads: list[int] = field(default_factory=list)
    below: list[Line] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Flat: `below` is what `reads` says."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.name != "below"}


@dataclass(frozen=True)
class Mark(Several):
    """Stands in a line's text for a node with a line of its own."""

    number: int
    outputs: tuple[str, ...]  # type: ignore[assignment,unused-ignore]
    inputs: tuple[Expr, ...] = ()

    def written(self, inputs: object) -> str:
        return f"#{self.number}"


class Picture:
    """The graph of an expression that is read on bars of `base`. nodes: how many there are, each counted once, as they are computed."""

    def __init__(self, e: Expr, base: str) -> None:
        self.base = base
        self.readers: Counter[Place] = Counter()
        self.lines: dict[Place, Line] = {}
        first = base, self.seen(e)
        self.count(first)
        self.nodes = len(self.readers) + 1
        self.top = self.drawn(first)

    def seen(self, e: Expr) -> Expr:
        """`on` the base timeframe is the expression itself."""
        return self.seen(e.inputs[0]) if isinstance(e, On) and e.timeframe == self.base else e

    def inputs_of(self, place: Place) -> list[Place]:
        timeframe, e = place
        return [(e.timeframe if isinstance(e, On) else timeframe, self.seen(each)) for each in e.inputs]

    def count(self, place: Place) -> None:
        for each in dict.fromkeys(self.inputs_of(place)):
            self.readers[each] += 1
            if self.readers[each] == 1:
                self.count(each)

    def drawn(self, place: Place) -> Line:
        """The line of a node, and below it those of the nodes that it is the first to read."""
        timeframe, e = place
        line = Line(len(self.lines), timeframe, "", self.readers[place], e.settling_bars, e.settling_sessions)
        self.lines[place] = line
        line.text = formula(self.marked(place, line))
        return line

    def marked(self, place: Place, line: Line) -> Expr:
        """The expression with marks in the place of nodes that have lines."""
        inputs = tuple(self.mark(each, line) if self.has_line(each, place) else self.marked(each, line) for each in self.inputs_of(place))
        return dataclasses.replace(place[1], inputs=inputs) if inputs else place[1]  # type: ignore[type-var]

    def has_line(self, place: Place, reader: Place) -> bool:
        """Whether a node remembers, is read twice or stands on another timeframe than its reader; prices and numbers never."""
        if isinstance(place[1], LEAVES):
            return False
        return not isinstance(place[1], ARITHMETIC) or self.readers[place] > 1 or place[0] != reader[0]

    def mark(self, place: Place, line: Line) -> Mark:
        if place not in self.lines:
            line.below.append(self.drawn(place))
        number, e = self.lines[place].number, place[1]
        if number not in line.reads:
            line.reads.append(number)
        return Mark(number, e.outputs if isinstance(e, Several) else ())

    def tree(self, name: str, depth: int = DEPTH) -> list[str]:
        """The picture as text, so many levels of it; `name` stands for the feature."""
        return [f"{name}  {bar_kind(self.top.timeframe)}  {self.top.text}", *branches(self.top, "", depth)]

    def as_list(self) -> list[dict[str, Any]]:
        """Every line, by number."""
        return [line.as_dict() for line in self.lines.values()]


def branches(line: Line, indent: str, depth: int) -> Iterator[str]:
    if line.below and not depth:
        yield f"{indent}└─ ... {lines_below(line)} more"
        return
    for each in line.below:
        is_last = each is line.below[-1]
        shared = f"  (read by {each.readers})" if each.readers > 1 else ""
        yield f"{indent}{'└─' if is_last else '├─'} #{each.number}  {bar_kind(each.timeframe)}  {each.text}{shared}"
        yield from branches(each, indent + ("   " if is_last else "│  "), depth - 1)


def lines_below(line: Line) -> int:
    return sum(1 + lines_below(each) for each in line.below)
