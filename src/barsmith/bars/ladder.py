"""The ladder: minutes become bars of every timeframe in one pass, anchored on the session's open.

A bar covers [start, end), never straddles a session break, and exists only where a minute traded. The last bar of a session may be short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from barsmith.bars.minutes import FIELDS, Minutes, moment
from barsmith.bars.sessions import Sessions
from barsmith.compiled import njit
from barsmith.config import TIMEFRAMES
from barsmith.errors import DataError


@dataclass(frozen=True, eq=False)
class Rung:
    """The finished bars of one timeframe.

    start, end: (m,) int64 minutes since 1970 UTC; end is cut at the session's close. bars: (m, 5) open high low close volume.
    session: (m,) the session's number. contract: (m,) int32, of the bar's last minute. first, last: (m,) indices of its minutes.
    """

    timeframe: str
    start: np.ndarray
    end: np.ndarray
    bars: np.ndarray
    session: np.ndarray
    contract: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def __len__(self) -> int:
        return len(self.end)


def ladder(
    minutes: Minutes, sessions: Sessions, timeframes: Sequence[str], *, adjusted: bool = True, now: int | None = None
) -> dict[str, Rung]:
    """The bars of each timeframe that end by `now` (default: the end of the last minute).

    adjusted: prices are divided by the roll factors (what features read), else the contract's own prices (labels and fills).
    Volume is the plain sum in the order of time, so that a live bucket that adds each minute has the same bits.
    Raises DataError `bars/out-of-session` for a minute outside the sessions.
    """
    steps = np.array([TIMEFRAMES[timeframe] for timeframe in timeframes], np.int64)
    now = (int(minutes.time[-1]) + 1 if len(minutes) else 0) if now is None else now
    sizes = most_bars(minutes, sessions, steps)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    start, end, session, first, last = (np.empty(offsets[-1], np.int64) for _ in range(5))
    bars = np.empty((int(offsets[-1]), 5))
    prices = minutes.adjusted() if adjusted and (minutes.factor != 1.0).any() else minutes.bars
    columns = (start, end, bars, session, first, last)
    counts, outside = fold(minutes.time, prices, sessions.opens, sessions.closes, steps, offsets, *columns)
    if outside >= 0:
        raise DataError(
            "bars/out-of-session",
            expected=f"minutes inside the {sessions.hours} sessions of {sessions.calendar}",
            came=f"{moment(int(minutes.time[outside])):%Y-%m-%d %H:%M} UTC",
            do="clean the bars with the same sessions first",
        )
    rungs = {}
    for timeframe, offset, count in zip(timeframes, offsets.tolist(), counts.tolist(), strict=False):
        finished = slice(offset, offset + int(np.searchsorted(end[offset : offset + count], now, "right")))
        rungs[timeframe] = Rung(
            timeframe=timeframe,
            start=start[finished],
            end=end[finished],
            bars=bars[finished],
            session=session[finished],
            contract=minutes.contract[last[finished]],
            first=first[finished],
            last=last[finished],
        )
    return rungs


def most_bars(minutes: Minutes, sessions: Sessions, steps: np.ndarray) -> np.ndarray:
    """(r,) how many bars of each step can be there at most."""
    if not len(minutes):
        return np.zeros(len(steps), np.int64)
    touched = slice(*np.searchsorted(sessions.closes, [minutes.time[0], minutes.time[-1]], "right") + np.array([0, 1]))
    lengths = (sessions.closes - sessions.opens)[touched]
    return np.minimum(-(-lengths[None, :] // steps[:, None]).sum(axis=1), len(minutes))


@njit
def fold(time, prices, opens, closes, steps, offsets, start, end, bars, session, first, last):  # type: ignore[no-untyped-def]
    """Fills the rungs' columns; (bars of each rung, index of the first minute outside the sessions or -1).

    A session at a time and within it a rung at a time: its minutes stay in the cache and a bar in registers.
    """
    at, i, n, number = offsets[:-1].copy(), 0, len(time), -1
    while i < n:
        number = np.searchsorted(opens, time[i], "right") - 1
        if number < 0 or time[i] >= closes[number]:
            return at - offsets[:-1], i
        opened, closed, begin = opens[number], closes[number], i
        while i < n and time[i] < closed:
            i += 1
        for r in range(len(steps)):
            k, step, j = at[r], steps[r], begin
            while j < i:
                left = time[j] - (time[j] - opened) % step
                right = min(left + step, closed)
                head, high, low, volume = j, prices[j, 1], prices[j, 2], prices[j, 4]
                j += 1
                while j < i and time[j] < right:
                    high, low = max(high, prices[j, 1]), min(low, prices[j, 2])
                    volume += prices[j, 4]
                    j += 1
                start[k], end[k], session[k], first[k], last[k] = left, right, number, head, j - 1
                bars[k, 0], bars[k, 1], bars[k, 2], bars[k, 3], bars[k, 4] = prices[head, 0], high, low, prices[j - 1, 3], volume
                k += 1
            at[r] = k
    return at - offsets[:-1], -1


def rung_column(rung: Rung, sessions: Sessions, name: str) -> np.ndarray:
    """(m,) float64: one of `COLUMNS`, what features can read of each bar. `bar_columns` are those of one bar that are not in its prices.

    open high low close volume; session: its number; minute: from the session's open to the bar's end; session_length: minutes;
    weekday: of the trade date, 0 for Monday; datetime, end: the bar's open and end in minutes since 1970 UTC.
    """
    if name in FIELDS:
        return np.ascontiguousarray(rung.bars[:, FIELDS.index(name)])
    return CALENDAR[name](rung, sessions).astype(np.float64)


CALENDAR: dict[str, Callable[[Rung, Sessions], np.ndarray]] = {
    "session": lambda rung, sessions: rung.session,
    "minute": lambda rung, sessions: rung.end - sessions.opens[rung.session],
    "session_length": lambda rung, sessions: (sessions.closes - sessions.opens)[rung.session],
    "weekday": lambda rung, sessions: ((sessions.trade_date + 3) % 7)[rung.session],
    "datetime": lambda rung, sessions: rung.start,
    "end": lambda rung, sessions: rung.end,
}
COLUMNS = (*FIELDS, *CALENDAR)


def bar_columns(sessions: Sessions, number: int, start: int, end: int) -> tuple[float, float, float, float, float, float]:
    """session, minute, session_length, weekday, datetime, end of one bar: the live twin of `CALENDAR`, whole numbers and so exact."""
    opened, closed, trade_date = sessions.span(number)
    return float(number), float(end - opened), float(closed - opened), float((trade_date + 3) % 7), float(start), float(end)
