"""Alternative clocks: bars that close with so many contracts, dollars or trades instead of so many minutes.

From minutes they are approximate: a bar closes with the whole minute in which its running sum reaches the threshold, so a busy minute
makes one bar where trades would make several. `trades.py` makes them exactly. Source: Lopez de Prado (2018), section 2.3.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from barsmith.bars.ladder import Rung, ladder
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions
from barsmith.compiled import njit
from barsmith.errors import UsageError

KINDS = ("volume", "dollar", "tick")
NAN = float("nan")
NEVER = 1 << 60
CLOSE, VOLUME = 3, 4
Amount = TypeVar("Amount", float, np.ndarray)


@dataclass(frozen=True)
class Clock:
    """When a bar closes.

    kind: what is summed: volume (contracts), dollar (price x contracts x usd_per_point) or tick (trades).
    threshold: the fixed sum at which a bar closes. None: it trails, for each session the average total of the `sessions` traded before it
    (fewer at the beginning) over `bars_per_session`; so it is known at the session's open.
    lots_per_trade: contracts in an average trade. Minutes carry no count of trades, so that tick bars from minutes read volume / lots_per_trade:
    volume bars in another unit. From trades they are counted and this is not read.
    """

    kind: str
    threshold: float | None = None
    bars_per_session: float = 78.0
    sessions: int = 20
    usd_per_point: float = 1.0
    lots_per_trade: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise _bad("kind", f"one of {', '.join(KINDS)}", repr(self.kind)[:80])
        for name in ("threshold", "bars_per_session", "usd_per_point", "lots_per_trade"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise _bad(name, "a number above 0", str(value))
        if self.sessions < 1:
            raise _bad("sessions", "one session or more", str(self.sessions))

    @property
    def settling_sessions(self) -> int:
        """Whole traded sessions that history needs before a session whose bars are to be the same from every earlier origin."""
        return self.sessions if self.threshold is None else 0

    def amount(self, price: Amount, volume: Amount) -> Amount:
        """What trades of this price and volume add to the sum; of a minute, its close and volume. price: the contract's own."""
        if self.kind == "volume":
            return volume
        if self.kind == "dollar":
            return price * volume * self.usd_per_point
        if self.lots_per_trade is None:
            raise UsageError(
                "clock/no-trade-count",
                expected="trades, which can be counted",
                came="tick bars from minutes, which carry no count of trades",
                do="make bars from trades, choose volume bars, or set lots_per_trade to the contracts in an average trade (an approximation)",
                where="clock",
            )
        return volume / self.lots_per_trade


def _bad(name: str, expected: str, came: str) -> UsageError:
    return UsageError("clock/settings", expected=f"{name} to be {expected}", came=came, do=f"correct {name}", where=f"clock.{name}")


def clock_rung(minutes: Minutes, sessions: Sessions, clock: Clock, *, adjusted: bool = True, now: int | None = None) -> Rung:
    """The bars of a clock that end by `now` (default: the end of the last minute), approximate because they are made of minutes.

    A bar begins with the open of its first minute and ends with the end of the minute in which the sum reached the threshold, at the
    latest with its session: then it may be short, and is finished once the session's end has passed. What a minute brings beyond the
    threshold is not carried over. Sessions without a threshold have no bars: with a trailing one the first, and those before
    which nothing was traded. A first session that history enters after its open is no measure for the next.
    adjusted: prices are divided by the roll factors; sums of dollars are of the contract's own prices either way.
    Raises DataError `bars/out-of-session`, UsageError `clock/no-trade-count`.

        dollar_bars = clock_rung(minutes, sessions, Clock("dollar", bars_per_session=50, usd_per_point=5.0))
    """
    now = (int(minutes.time[-1]) + 1 if len(minutes) else 0) if now is None else now
    amount, days, threshold = by_session(minutes, sessions, clock)
    prices = minutes.adjusted() if adjusted and (minutes.factor != 1.0).any() else minutes.bars
    start, end, session, first, last = (np.empty(len(minutes), np.int64) for _ in range(5))
    bars = np.empty((len(minutes), 5))
    columns = (start, end, bars, session, first, last)
    m = fold_clock(minutes.time, prices, amount, days.first, days.last, days.end, days.session, threshold, *columns)
    m = int(np.searchsorted(end[:m], now, "right"))
    start, end, session, first, last = (column[:m].copy() for column in (start, end, session, first, last))  # the room for more goes back
    return Rung(clock.kind, start, end, bars[:m].copy(), session, minutes.contract[last], first, last)


def settled_session(minutes: Minutes, sessions: Sessions, clock: Clock) -> int:
    """The first session whose bars no longer depend on where history begins, `NEVER` where it is too short."""
    days = ladder(minutes, sessions, ["1d"], adjusted=False, now=NEVER)["1d"]
    at = clock.settling_sessions + (0 if _is_whole(minutes, days) else 1)
    return int(days.session[at]) if at < len(days) else NEVER


def by_session(minutes: Minutes, sessions: Sessions, clock: Clock) -> tuple[np.ndarray, Rung, np.ndarray]:
    """(n,) amounts of the minutes, their s sessions as bars, the last one although it may go on, and the (s,) thresholds of `thresholds`."""
    amount = np.ascontiguousarray(clock.amount(minutes.bars[:, CLOSE], minutes.bars[:, VOLUME]))
    days = ladder(minutes, sessions, ["1d"], adjusted=False, now=NEVER)["1d"]
    return amount, days, thresholds(session_sums(amount, days.first, days.last), _is_whole(minutes, days), clock)


def _is_whole(minutes: Minutes, days: Rung) -> bool:
    """Whether history begins with a session's first minute."""
    return bool(len(minutes) and minutes.time[0] == days.start[0])


def thresholds(sums: np.ndarray, is_whole: bool, clock: Clock) -> np.ndarray:
    """(s,) sums of the traded sessions -> (s,) thresholds of their bars, NaN where there is none. is_whole: the first sum is of a whole session."""
    if clock.threshold is not None:
        return np.full(len(sums), clock.threshold)
    unusable = 0 if is_whole or not len(sums) else 1
    trailing = trailing_thresholds(sums[unusable:], clock.sessions, clock.bars_per_session)
    return np.concatenate((np.full(unusable, NAN), trailing))[: len(sums)]


@njit
def trailing_thresholds(sums, memory, bars_per_session):  # type: ignore[no-untyped-def]
    """(s + 1,) for each session and the one to come: the average of up to `memory` sums before it, oldest first, over the bars wanted."""
    out = np.empty(len(sums) + 1)
    for s in range(len(out)):
        total, oldest = 0.0, max(0, s - memory)
        for i in range(oldest, s):
            total += sums[i]
        out[s] = total / (s - oldest) / bars_per_session if total > 0.0 else np.nan
    return out


@njit
def session_sums(amount, first, last):  # type: ignore[no-untyped-def]
    """(s,) the sum of each session's amounts in the order of time."""
    out = np.zeros(len(first))
    for s in range(len(first)):
        for i in range(first[s], last[s] + 1):
            out[s] += amount[i]
    return out


@njit
def fold_clock(  # type: ignore[no-untyped-def]
    time, prices, amount, day_first, day_last, day_end, day_session, threshold, start, end, bars, session, first, last
):
    """Fills the rung's columns; how many bars there are, the last one although it may go on."""
    k = 0
    for day in range(len(day_first)):
        if np.isnan(threshold[day]):
            continue
        i = day_first[day]
        while i <= day_last[day]:
            head, high, low, volume, total = i, prices[i, 1], prices[i, 2], prices[i, 4], amount[i]
            while total < threshold[day] and i < day_last[day]:
                i += 1
                high, low = max(high, prices[i, 1]), min(low, prices[i, 2])
                volume += prices[i, 4]
                total += amount[i]
            start[k], session[k], first[k], last[k] = time[head], day_session[day], head, i
            end[k] = time[i] + 1 if total >= threshold[day] else day_end[day]
            bars[k, 0], bars[k, 1], bars[k, 2], bars[k, 3], bars[k, 4] = prices[head, 0], high, low, prices[i, 3], volume
            k += 1
            i += 1
    return k


class LiveClock:
    """Fed minute after minute it says when a bar closes, as `clock_rung` does: the same sums in the same order.

    minutes: the history before. The bars themselves are whoever's who asks: a bar begins with the first minute after `add` said that one
    has closed, in a session that `has_bars`, and closes at the latest with the session's end.
    """

    def __init__(self, clock: Clock, sessions: Sessions, minutes: Minutes | None = None) -> None:
        self.clock, self.sessions = clock, sessions
        self.opened, self.closed = 0, 0
        self.sums: list[float] = []  # of the sessions before, as many as the threshold reads
        self.threshold, self.total, self.in_session = NAN, 0.0, 0.0
        self.is_first, self.is_measure = True, False
        if minutes is not None and len(minutes):
            self._stand(minutes)

    @property
    def has_bars(self) -> bool:
        """Whether the current session has a threshold."""
        return not math.isnan(self.threshold)

    @property
    def is_settled(self) -> bool:
        """Whether the bars of the current session no longer depend on where history began."""
        return self.is_measure and len(self.sums) >= self.clock.settling_sessions

    def add(self, time: int, price: float, volume: float) -> bool:
        """The next minute: its open time, close (the contract's own) and volume. Whether the bar closes with it; never outside the sessions."""
        if not self.opened <= time < self.closed:
            number = self.sessions.number(time)
            if number < 0:
                return False
            self._begin(number, time)
        amount = self.clock.amount(price, volume)
        self.in_session += amount
        self.total += amount
        if self.total >= self.threshold or time + 1 == self.closed:
            self.total = 0.0
            return self.has_bars
        return False

    def _begin(self, number: int, time: int) -> None:
        """Another session, whose threshold the sessions before it say."""
        if self.is_measure:
            self.sums = [*self.sums, self.in_session][-self.clock.sessions :]
        self.opened, self.closed, _ = self.sessions.span(number)
        self.is_measure = time == self.opened or not self.is_first
        self.is_first = False
        self.total = self.in_session = 0.0
        self.threshold = self.clock.threshold if self.clock.threshold is not None else self._trailing()

    def _trailing(self) -> float:
        return float(trailing_thresholds(np.array(self.sums, np.float64), self.clock.sessions, self.clock.bars_per_session)[-1])

    def _stand(self, minutes: Minutes) -> None:
        """Where the history ends: the sums of the sessions before, and the last session lived through."""
        amount, days, _ = by_session(minutes, self.sessions, self.clock)
        sums = session_sums(amount, days.first, days.last)[:-1].tolist()
        unusable = 0 if _is_whole(minutes, days) else 1
        self.sums = sums[unusable:][-self.clock.sessions :]
        self.is_first = not sums
        today = minutes[int(days.first[-1]) :]
        for time, bar in zip(today.time.tolist(), today.bars.tolist(), strict=True):
            self.add(time, bar[CLOSE], bar[VOLUME])
