"""The distinct (timeframe, expression) pairs of a feature set, inputs first, and their reading over a history."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.bars.base_bars import clock_of, rungs
from barsmith.bars.clocks import NEVER, settled_session
from barsmith.bars.ladder import Rung, rung_column
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions
from barsmith.config import TIMEFRAMES, shown
from barsmith.errors import BarsmithError, UsageError
from barsmith.features.graph import NAN, Column, Constant, Expr, On, Step, final


@dataclass(frozen=True)
class Node:
    timeframe: str
    expr: Expr
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """What a plan gives over a history: for each base bar every feature, and for each node how to go on.

    base: the m base bars. matrix: (m, f) float64, the features in the plan's order. first_settled: (f,) index of the first
    base bar at which each feature has settled (m and more: not yet). values, steps, ready, waiting: per node its last value, the
    function that continues it, whether it has settled, and for how many sessions and then bars it waits once its inputs have.
    rungs: the bars of the plan's `rungs`.
    """

    base: Rung
    matrix: np.ndarray
    first_settled: np.ndarray
    values: list[Any]
    steps: list[Step | None]
    ready: list[bool]
    waiting: list[tuple[int, int]]
    rungs: Mapping[str, Rung]

    @property
    def settled(self) -> np.ndarray:
        """(m,) bool: every feature of the bar has settled."""
        last = int(self.first_settled.max(initial=0))
        return np.arange(len(self.base.end)) >= last


class Plan:
    """A feature set ready to be read.

    features: expressions by name. base: the timeframe, or name of a clock, on whose bars decisions are made. rungs: timeframes whose
    bars are wanted themselves.
    """

    def __init__(self, features: Mapping[str, Expr], *, base: str, sessions: Sessions, rungs: Sequence[str] = ()) -> None:
        self.base, self.sessions, self.names, self.rungs = base, sessions, tuple(features), tuple(rungs)
        self.clock = clock_of(base)
        self.nodes: list[Node] = []
        seen: dict[tuple[str, Expr], int] = {}

        def visit(timeframe: str, e: Expr) -> int:
            if isinstance(e, On):
                if timeframe != base:
                    raise UsageError(
                        "features/nested-timeframe",
                        expected="on(timeframe, ...) over an expression of that timeframe's own bars",
                        came=f"on({e.timeframe!r}, ...) inside on({timeframe!r}, ...)",
                        do="join each timeframe to the base only",
                    )
                if e.timeframe not in TIMEFRAMES:
                    raise UsageError(
                        "config/timeframe",
                        expected=f"one of {', '.join(TIMEFRAMES)}",
                        came=repr(e.timeframe),
                        do="choose a rung of the ladder",
                    )
                if e.timeframe == base:
                    return visit(base, e.inputs[0])
            if (timeframe, e) not in seen:
                inner = e.timeframe if isinstance(e, On) else timeframe
                inputs = tuple(visit(inner, i) for i in e.inputs)
                seen[timeframe, e] = len(self.nodes)
                self.nodes.append(Node(timeframe, e, inputs))
            return seen[timeframe, e]

        self.outputs = [visit(base, e) for e in features.values()]
        used = {node.timeframe for node in self.nodes} | {base, *rungs} | {n.expr.timeframe for n in self.nodes if isinstance(n.expr, On)}
        self.timeframes = [*sorted(used - {base}, key=TIMEFRAMES.__getitem__), base]  # the base bar closes last, and sees them all
        self.last_use = {i: j for j, node in enumerate(self.nodes) for i in node.inputs}

    def fingerprints(self) -> dict[str, str]:
        """A hash of each feature's definition, the same in every process: another definition under the same name differs."""
        hashes: list[str] = []
        for node in self.nodes:
            settling = f"{node.expr.settling_bars} {node.expr.settling_sessions}"
            text = f"{node.expr.identity()} {settling} {node.timeframe} {[hashes[i] for i in node.inputs]}"
            hashes.append(hashlib.sha256(text.encode()).hexdigest()[:16])
        return {name: hashes[i] for name, i in zip(self.names, self.outputs, strict=True)}

    def read(self, minutes: Minutes, now: int | None = None, *, keep: bool = True, origin: int | None = None) -> Reading:
        """Read every feature over a history.

        minutes: in-session minutes. now: bars that end after it are left out (default: the last minute's end).
        keep: whether the features themselves are wanted, or only how to go on.
        origin: when the history began, where `minutes` is only its older part (default: the first minute).
        """
        found = rungs(minutes, self.sessions, self.timeframes, adjusted=True, now=now)
        base = found[self.base]
        known = {t: np.searchsorted(rung.end, base.end, "right") - 1 for t, rung in found.items()}
        matrix = np.empty((len(self.outputs) if keep else 0, len(base.end))).T  # a column lies in one piece: it is written and read as one
        places: dict[int, list[int]] = {}
        for k, i in enumerate(self.outputs if keep else ()):
            places.setdefault(i, []).append(k)
        columns: dict[int, Any] = {}
        steps: list[Step | None] = [None] * len(self.nodes)
        values: list[Any] = [NAN] * len(self.nodes)
        for j, node in enumerate(self.nodes):
            try:
                columns[j], steps[j] = self.column(node, known, found, [columns[i] for i in node.inputs])
                values[j] = node.expr.value if isinstance(node.expr, Constant) else final(columns[j])
                for k in places.get(j, ()):
                    matrix[:, k] = columns[j]
            except BarsmithError:
                raise
            except Exception as error:  # a user's kernel may raise anything, and so may any node over inputs that it is not made for
                raise UsageError(
                    "features/definition",
                    expected=f"{shown(node.expr.identity())} to be read over bars",
                    came=f"{type(error).__name__}: {shown(str(error))}",
                    do="check its inputs and parameters",
                    where=f"feature {self.user_of(j)}",
                ) from error
            for i in (*node.inputs, j):
                if self.last_use.get(i, i) == j:
                    columns.pop(i, None)
        origin = int(minutes.time[0]) if origin is None and len(minutes) else origin
        settled = settled_session(minutes, self.sessions, self.clock) if self.clock else NEVER
        first, waiting = self.settling(found, origin, settled)
        ready = [at < len(found[node.timeframe].end) for at, node in zip(first, self.nodes, strict=True)]
        wanted = {timeframe: found[timeframe] for timeframe in self.rungs}
        return Reading(base, matrix, np.array([first[i] for i in self.outputs], np.int64), values, steps, ready, waiting, wanted)

    def user_of(self, node: int) -> str:
        """The first feature that a node is part of."""
        using = {node}
        for j, each in enumerate(self.nodes):
            if using.intersection(each.inputs):
                using.add(j)
        return next(name for name, i in zip(self.names, self.outputs, strict=True) if i in using)

    def column(
        self, node: Node, known: Mapping[str, np.ndarray], rungs: Mapping[str, Rung], inputs: Sequence[Any]
    ) -> tuple[Any, Step | None]:
        """A node's column and how to go on. known: per timeframe, for each base bar the last bar that is finished by its end, or -1."""
        e = node.expr
        if isinstance(e, Column):
            return rung_column(rungs[node.timeframe], self.sessions, e.name), None
        if isinstance(e, Constant):
            return np.float64(e.value), None
        if isinstance(e, On):
            last, inner = known[e.timeframe], inputs[0]
            if np.ndim(inner) == 0 or not len(inner):
                return np.full(len(last), NAN if np.ndim(inner) else float(inner)), None
            return np.where(last < 0, NAN, inner[last]), None
        return e.read(*inputs)

    def settling(self, rungs: Mapping[str, Rung], origin: int | None, settled: int) -> tuple[list[int], list[tuple[int, int]]]:
        """Per node: the index of the first bar of its timeframe at which it has settled, and the sessions and then bars it still waits for.

        A bar that had begun before the origin is not whole, so its timeframe starts with the next one; a clock's bars count from the
        session `settled` on, also for what only reads other timeframes: before it there would be other bars from another origin.
        A node waits for its inputs, then for bars of its own; one whose inputs have not settled waits from then on: its index is unknown.
        """
        first: list[int] = []
        waiting: list[tuple[int, int]] = []
        for node in self.nodes:
            rung = rungs[node.timeframe]
            start = max((first[i] for i in node.inputs), default=0)
            if isinstance(node.expr, On):
                inner = rungs[node.expr.timeframe].end
                start = int(np.searchsorted(rung.end, inner[start], "left")) if start < len(inner) else NEVER
            if self.is_of_clock(node):
                start = max(start, int(np.searchsorted(rung.session, settled)))
                at, waits = after_sessions(rung.session, start, node.expr.settling_sessions, node.expr.settling_bars)
            else:
                own = node.expr.settling_on(TIMEFRAMES[node.timeframe])
                if isinstance(node.expr, Column):
                    own = int(origin is not None and not self.begins_a_bar(origin, node.timeframe))
                at, waits = start + own, (0, max(0, min(own, start + own - len(rung))))
            first.append(min(at, NEVER))
            waiting.append(waits)
        return first, waiting

    def is_of_clock(self, node: Node) -> bool:
        return self.clock is not None and node.timeframe == self.base

    def begins_a_bar(self, time: int, timeframe: str) -> bool:
        return self.sessions.bar_start(self.sessions.number(time), time, TIMEFRAMES[timeframe]) == time


def after_sessions(session: np.ndarray, start: int, sessions: int, bars: int) -> tuple[int, tuple[int, int]]:
    """The bar before which, from `start` on, so many sessions have begun and then so many bars been finished; and how many are missing.

    A clock's bars are counted in sessions as they come: no number of them is sure to fill one. session: (m,) of each bar.
    """
    if start >= len(session):
        return NEVER, (sessions, bars)
    begun = np.cumsum(np.diff(session, prepend=session[:1]) != 0)
    at = int(np.searchsorted(begun, begun[start] + sessions)) if sessions else start
    if at >= len(session):
        return NEVER, (sessions - int(begun[-1] - begun[start]), bars)
    return at + bars, (0, max(0, at + bars - len(session)))
