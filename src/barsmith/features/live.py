"""A plan fed with raw minutes, one at a time. Its whole state is those minutes: restoring is reading them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.bars.ladder import bar_columns
from barsmith.bars.minutes import Minutes, moment
from barsmith.config import TIMEFRAMES
from barsmith.errors import DataError
from barsmith.features.graph import BAR_FIELDS, Column, On, Step
from barsmith.features.plan import Plan

NEVER = 1 << 60


@dataclass(frozen=True)
class Finished:
    """A base bar that has just been finished: start and end in minutes since 1970, its features, whether all have settled."""

    start: int
    end: int
    features: list[float]
    settled: bool


@dataclass(frozen=True)
class Program:
    """What happens when a bar of one timeframe closes: the bar's fields to load, then the steps to call, inputs first."""

    loads: list[tuple[int, int]]
    calls: list[tuple[int, Step, tuple[int, ...]]]


class Live:
    """`Live(plan, minutes)` stands where a batch over those minutes ends; `update` goes on from there, with the same bits.

    The bars of the sessions before the last one are read in batch, the last session's minutes are lived through again.
    """

    def __init__(self, plan: Plan, minutes: Minutes) -> None:
        self.plan, self.sessions = plan, plan.sessions
        self.clock, self.next_end = 0, NEVER
        self.session, self.session_open, self.session_close = -1, 0, 0
        self.buckets: dict[str, list[Any]] = {}
        today = self.last_session_start(minutes)
        now = int(minutes.time[today]) if today < len(minutes) else 0  # today's first minute has closed every bar before it
        before = plan.read(minutes[:today], now, keep=False, origin=int(minutes.time[0]) if len(minutes) else None)
        self.values, self.ready, self.waiting = before.values, before.ready, before.waiting
        # An On is its input's slot: the value as last closed.
        self.slot = [node.inputs[0] if isinstance(node.expr, On) else j for j, node in enumerate(plan.nodes)]
        self.outputs = [self.slot[j] for j in plan.outputs]
        self.programs = {t: self.program(t, before.steps) for t in plan.timeframes}
        self.is_settled = all(self.ready[j] for j in plan.outputs)
        self.has_begun = len(minutes) > 0
        for time, bar in zip(minutes.time[today:].tolist(), minutes[today:].adjusted().tolist(), strict=True):
            self.update(time, bar)

    def begin(self, time: int) -> None:
        """History begins with this minute: a bar that it falls into the middle of is not whole and settles nothing."""
        self.has_begun = True
        for j, node in enumerate(self.plan.nodes):
            if isinstance(node.expr, Column):
                self.waiting[j] = int(not self.plan.begins_a_bar(time, node.timeframe))

    def last_session_start(self, minutes: Minutes) -> int:
        if not len(minutes):
            return 0
        number = self.sessions.number(int(minutes.time[-1]))
        return int(np.searchsorted(minutes.time, self.sessions.span(number)[0]))

    def program(self, timeframe: str, steps: list[Step | None]) -> Program:
        mine = [(j, node) for j, node in enumerate(self.plan.nodes) if node.timeframe == timeframe]
        loads = [(j, BAR_FIELDS.index(node.expr.name)) for j, node in mine if isinstance(node.expr, Column)]
        calls = [(j, step, tuple(self.slot[i] for i in node.inputs)) for j, node in mine if (step := steps[j]) is not None]
        return Program(loads, calls)

    def update(self, time: int, bar: list[float]) -> list[Finished]:
        """One minute: its open time, and open high low close volume at adjusted prices. Returns the base bars it finished.

        A minute outside the session makes no bar. Raises DataError `stream/late` for a minute before the clock.
        """
        if time < self.clock:
            raise DataError(
                "stream/late",
                expected=f"a minute not before {moment(self.clock)}",
                came=str(moment(time)),
                do="send minutes in the order of time; correct the history and restore to insert an older one",
            )
        if not self.session_open <= time < self.session_close:
            number = self.sessions.number(time)
            if number < 0:
                return []
            self.session, (self.session_open, self.session_close, _) = number, self.sessions.span(number)
            if not self.has_begun:
                self.begin(time)
        finished = self.advance(time)
        for timeframe in self.plan.timeframes:
            bucket = self.buckets.get(timeframe)
            if bucket is None:
                self.open_bucket(timeframe, time, bar)
            else:
                fields = bucket[1]
                if bar[1] > fields[1]:
                    fields[1] = bar[1]
                if bar[2] < fields[2]:
                    fields[2] = bar[2]
                fields[3] = bar[3]
                fields[4] += bar[4]
        return finished + self.advance(time + 1)

    def open_bucket(self, timeframe: str, time: int, bar: list[float]) -> None:
        step = TIMEFRAMES[timeframe]
        start = self.sessions.bar_start(self.session, time, step)
        end = self.sessions.bar_end(self.session, time, step)
        self.buckets[timeframe] = [end, [*bar, *bar_columns(self.sessions, self.session, start, end)], start]
        self.next_end = min(self.next_end, end)

    def advance(self, now: int) -> list[Finished]:
        """The clock has reached `now`: close every bar that ends by then, earlier ends first, the base bar last."""
        self.clock = max(self.clock, now)
        finished = []
        while self.next_end <= now:
            end = self.next_end
            for timeframe in [t for t in self.plan.timeframes if t in self.buckets and self.buckets[t][0] == end]:
                _, fields, start = self.buckets.pop(timeframe)
                with np.errstate(all="ignore"):  # 0/0 is NaN here as it is in the column
                    self.close_bar(timeframe, fields)
                if timeframe == self.plan.base:
                    finished.append(Finished(start, end, [self.values[i] for i in self.outputs], self.is_settled))
            self.next_end = min((b[0] for b in self.buckets.values()), default=NEVER)
        return finished

    def close_bar(self, timeframe: str, fields: list[float]) -> None:
        values, program = self.values, self.programs[timeframe]
        for j, field in program.loads:
            values[j] = fields[field]
        for j, step, inputs in program.calls:
            if len(inputs) == 1:
                values[j] = step(values[inputs[0]])
            elif len(inputs) == 2:
                values[j] = step(values[inputs[0]], values[inputs[1]])
            else:
                values[j] = step(*[values[i] for i in inputs])
        if not self.is_settled:
            self.settle(timeframe)

    def settle(self, timeframe: str) -> None:
        for j, node in enumerate(self.plan.nodes):
            if node.timeframe == timeframe and not self.ready[j] and all(self.ready[i] for i in node.inputs):
                self.ready[j] = self.waiting[j] == 0
                self.waiting[j] -= not self.ready[j]
        self.is_settled = all(self.ready[j] for j in self.plan.outputs)
