"""A plan fed with raw minutes, one at a time. Its whole state is those minutes: restoring is reading them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.bars.clocks import NEVER, LiveClock
from barsmith.bars.ladder import bar_columns
from barsmith.bars.minutes import Minutes, moment
from barsmith.config import TIMEFRAMES
from barsmith.errors import DataError
from barsmith.features.graph import BAR_FIELDS, Column
from barsmith.features.past import ROW, Past, Window
from barsmith.features.plan import Plan
from barsmith.features.program import Cells, Program

SESSION = BAR_FIELDS.index("session")


@dataclass(frozen=True)
class Finished:
    """A base bar that has just been finished: start and end in minutes since 1970, its features, whether all have settled.

    window: as `Past.of` gives it, where one was asked for.
    """

    start: int
    end: int
    features: list[float]
    settled: bool
    window: np.ndarray | None = None


class Live:
    """`Live(plan, minutes)` stands where a batch over those minutes ends; `update` goes on from there, with the same bits.

    The bars of the sessions before the last one are read in batch, the last session's minutes are lived through again.
    window: what is to be given with each finished bar beside its features.
    """

    def __init__(self, plan: Plan, minutes: Minutes, window: Window = ROW) -> None:
        self.plan, self.sessions = plan, plan.sessions
        self.now, self.next_end = 0, NEVER
        self.session, self.session_open, self.session_close = -1, 0, 0
        self.buckets: dict[str, list[Any]] = {}
        today = self.last_session_start(minutes)
        now = int(minutes.time[today]) if today < len(minutes) else 0  # today's first minute has closed every bar before it
        keep = window.reads == "sequence"
        before = plan.read(minutes[:today], now, keep=keep, origin=int(minutes.time[0]) if len(minutes) else None)
        self.past = None if window == ROW else Past(window, before)
        self.ready, self.waiting = before.ready, before.waiting
        self.clock = LiveClock(plan.clock, plan.sessions, minutes[:today]) if plan.clock else None
        self.last_session = -1.0  # of the base bar finished last; today's first one is of another
        self.cells = Cells(plan, before.values)
        self.outputs = np.array([self.cells.places[j][0] for j in plan.outputs], np.int64)
        self.programs = {t: Program(plan, t, before.steps, self.cells) for t in plan.timeframes}
        self.is_settled = all(self.ready[j] for j in plan.outputs)
        self.has_begun = len(minutes) > 0
        rest = minutes[today:]
        for time, bar, price in zip(rest.time.tolist(), rest.adjusted().tolist(), rest.bars[:, 3].tolist(), strict=True):
            self.update(time, bar, price)

    def begin(self, time: int) -> None:
        """History begins with this minute: a bar that it falls into the middle of is not whole and settles nothing."""
        self.has_begun = True
        for j, node in enumerate(self.plan.nodes):
            if isinstance(node.expr, Column) and not self.plan.is_of_clock(node):
                self.waiting[j] = (0, int(not self.plan.begins_a_bar(time, node.timeframe)))

    def last_session_start(self, minutes: Minutes) -> int:
        if not len(minutes):
            return 0
        number = self.sessions.number(int(minutes.time[-1]))
        return int(np.searchsorted(minutes.time, self.sessions.span(number)[0]))

    def update(self, time: int, bar: list[float], price: float | None = None) -> list[Finished]:
        """One minute: its open time, and open high low close volume at adjusted prices. Returns the base bars it finished.

        price: the close in the contract's own prices, where the two differ: a dollar clock counts dollars.
        A minute outside the session makes no bar. Raises DataError `stream/late` for a minute before `now`.
        """
        if time < self.now:
            raise DataError(
                "stream/late",
                expected=f"a minute not before {moment(self.now)}",
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
        is_full = self.clock is not None and self.clock.add(time, bar[3] if price is None else price, bar[4])
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
        if is_full:
            self.end_base(time + 1)
        return finished + self.advance(time + 1)

    def open_bucket(self, timeframe: str, time: int, bar: list[float]) -> None:
        if timeframe == self.plan.base and self.clock is not None:
            if not self.clock.has_bars:
                return
            start, end = time, self.session_close  # or when the clock says so
        else:
            step = TIMEFRAMES[timeframe]
            start = self.sessions.bar_start(self.session, time, step)
            end = self.sessions.bar_end(self.session, time, step)
        self.buckets[timeframe] = [end, [*bar, *bar_columns(self.sessions, self.session, start, end)], start]
        self.next_end = min(self.next_end, end)

    def end_base(self, end: int) -> None:
        """The clock closes the base bar."""
        bucket = self.buckets[self.plan.base]
        bucket[0], bucket[1][5:] = end, bar_columns(self.sessions, self.session, bucket[2], end)
        self.next_end = min(self.next_end, end)

    def advance(self, now: int) -> list[Finished]:
        """Time has reached `now`: close every bar that ends by then, earlier ends first, the base bar last."""
        self.now = max(self.now, now)
        finished = []
        while self.next_end <= now:
            end = self.next_end
            for timeframe in [t for t in self.plan.timeframes if t in self.buckets and self.buckets[t][0] == end]:
                _, fields, start = self.buckets.pop(timeframe)
                with np.errstate(all="ignore"):  # 0/0 is NaN here as it is in the column
                    self.programs[timeframe].close(fields)
                if self.past is not None:
                    self.past.close(timeframe, fields)
                if not self.is_settled:
                    self.settle(timeframe, fields[SESSION])
                if timeframe == self.plan.base:
                    self.last_session = fields[SESSION]
                    features = self.cells.values[self.outputs].tolist()
                    seen = None if self.past is None else self.past.of(features, self.is_settled, self.last_session)
                    finished.append(Finished(start, end, features, self.is_settled, seen))
            self.next_end = min((b[0] for b in self.buckets.values()), default=NEVER)
        return finished

    def settle(self, timeframe: str, session: float) -> None:
        """What the bar that has just been finished, of this session, was waited for."""
        if self.clock is not None and timeframe == self.plan.base and not self.clock.is_settled:
            return
        was_ready, is_new = self.ready.copy(), session != self.last_session
        for j, node in enumerate(self.plan.nodes):
            if node.timeframe != timeframe or self.ready[j]:
                continue
            if all(self.ready[i] for i in node.inputs):
                sessions, bars = self.waiting[j]
                sessions -= bool(sessions and is_new and all(was_ready[i] for i in node.inputs))
                self.ready[j] = sessions == bars == 0
                self.waiting[j] = (sessions, bars - (sessions == 0 and bars > 0))
        self.is_settled = all(self.ready[j] for j in self.plan.outputs)
