"""Changes of contract that a continuous file does not mark: where a jump at a session's open, the calendar of expiries and thin
trading point to one. They are suspicions for a reader to confirm, and nothing acts on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from barsmith.bars.minutes import moment
from barsmith.bars.sessions import EPOCH, Sessions

HOLE = 60
"""Minutes missing around a session's open, from which the jump there may be the market's own."""
BESIDE_THIN, JUMP, WILD = 6.0, 10.0, 15.0
"""A jump counts from JUMP times the usual one (of breaks of the same length, by their median), beside a thin session from BESIDE_THIN
times. There, or from WILD times, a roll is likely, otherwise possible.
"""
CARRY = 0.003
"""Share of the price that two contracts are apart at least, where a file can show it: about a month's interest at 4 %. Smaller gaps between
contracts, as those of index futures in years without interest, cannot be told from the market's own jumps.
"""
THIN = 0.5
"""A session is thin below this share of the median volume of the sessions around it."""
AROUND = 15
FEWEST = 10
"""Sessions from which it can be said what is usual."""
LONG_BREAK = 6 * 60
MONTHS = {"equity_index": (3, 6, 9, 12), "metals": (2, 4, 6, 8, 12), "energy": tuple(range(1, 13))}
SILVER = (3, 5, 7, 9, 12)


@dataclass(frozen=True)
class Suspect:
    """A session's open at which the contract may have changed.

    time: UTC minute of the first bar. gap: first open less last close. jump: that, in multiples of the usual one. thin: share of the
    usual volume that the thinner of the two sessions has. expiry: the month of the contract that would have gone. hole: minutes
    missing in between, beside the market's break. certainty: `likely`, `possible`, or `hidden` where a hole hides it.
    """

    time: int
    gap: float
    jump: float
    thin: float
    expiry: str
    hole: int
    certainty: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"time": f"{moment(self.time):%Y-%m-%dT%H:%MZ}"}


def counted(certainties: Sequence[str]) -> str:
    """How many suspects there are, for a reader: `3 suspected`, `3 suspected (all hidden in holes)`, `3 suspected (1 hidden in holes)`."""
    hidden = certainties.count("hidden")
    return f"{len(certainties)} suspected" + (f" ({'all' if hidden == len(certainties) else hidden} hidden in holes)" if hidden else "")


def suspected_rolls(time: np.ndarray, bars: np.ndarray, sessions: Sessions, symbol: str) -> list[Suspect]:
    """The opens at which a contract may have changed, in the order of time, at most one for each expiry and only in its window.

    time: (n,) UTC minutes in order. bars: (n, 5) open high low close volume. symbol: whose months expire.
    """
    number = sessions.numbers(time)
    inside = np.flatnonzero(number >= 0)
    first = inside[np.flatnonzero(np.diff(number[inside], prepend=-1))]
    if len(first) < FEWEST:
        return []
    last = inside[np.append(np.flatnonzero(np.diff(number[inside])), len(inside) - 1)]
    volume = np.add.reduceat(bars[inside, 4], np.searchsorted(inside, first))
    gap = bars[first[1:], 0] - bars[last[:-1], 3]
    seen = number[first]
    breaks = sessions.opens[seen[1:]] - sessions.closes[seen[:-1]]
    hole = (time[first[1:]] - time[last[:-1]] - 1) - (sessions.opens[seen[1:]] - sessions.closes[seen[1:] - 1])
    share = np.abs(gap) / bars[last[:-1], 3]
    jump = _jumps(share, breaks)
    thin = _thinness(volume)
    days = sessions.trade_date[seen]
    found = []
    for name, begins, ends in windows(symbol, sessions.calendar, int(days[0]), int(days[-1])):
        at = np.flatnonzero((days[1:] >= begins) & (days[:-1] <= ends))
        suspect = _in_window(at, np.where(share >= CARRY, jump, 0.0), np.minimum(thin[:-1], thin[1:]), hole) if len(at) else None
        if suspect is None:
            continue
        i, certainty = suspect
        found.append(
            Suspect(int(time[first[i + 1]]), float(gap[i]), float(jump[i]), float(min(thin[i], thin[i + 1])), name, int(hole[i]), certainty)
        )
    return sorted({one.time: one for one in found}.values(), key=lambda one: one.time)


def _in_window(at: np.ndarray, jump: np.ndarray, thin: np.ndarray, hole: np.ndarray) -> tuple[int, str] | None:
    """The open of a window at which the contract most likely changed, and how likely."""
    holes = at[hole[at] >= HOLE]
    whole = at[hole[at] < HOLE]
    best = int(whole[jump[whole].argmax()]) if len(whole) else None
    if best is not None and jump[best] >= (BESIDE_THIN if thin[best] < THIN else JUMP):
        return best, "likely" if jump[best] >= WILD or thin[best] < THIN else "possible"
    return (int(holes[hole[holes].argmax()]), "hidden") if len(holes) else None


def _jumps(size: np.ndarray, breaks: np.ndarray) -> np.ndarray:
    """Each jump in multiples of the median jump over a break of its kind, a night's or a weekend's."""
    out = np.empty(len(size))
    for is_long in (False, True):
        kind = (breaks >= LONG_BREAK) == is_long
        usual = np.median(size[kind]) if np.count_nonzero(kind) > 2 else np.median(size)
        out[kind] = size[kind] / max(float(usual), 1e-6)
    return out


def _thinness(volume: np.ndarray) -> np.ndarray:
    """Each session's volume as a share of the median around it."""
    windows = (volume[max(0, i - AROUND) : i + AROUND + 1] for i in range(len(volume)))
    return volume / np.maximum([float(np.median(window)) for window in windows], 1.0)


def windows(symbol: str, calendar: str, first: int, last: int) -> list[tuple[str, int, int]]:
    """(month, first day, last day) in which the volume leaves each expiring contract, as days since 1970; none for other calendars.

    Equity index futures expire on the third Friday of the month and are left in the ten days before. Metals are left in the last
    nine days before their delivery month, crude oil between the 12th and the 22nd of the month before.
    """
    months = SILVER if symbol in ("SI", "SIL") else MONTHS.get(calendar, ())
    start, end = EPOCH + timedelta(first), EPOCH + timedelta(last)
    found = []
    for year in range(start.year - 1, end.year + 2):
        for month in months:
            begins, ends = _window(year, month, calendar)
            if begins <= end and ends >= start:
                found.append((f"{year}-{month:02d}", (begins - EPOCH).days, (ends - EPOCH).days))
    return found


def _window(year: int, month: int, calendar: str) -> tuple[date, date]:
    delivery = date(year, month, 1)
    if calendar == "equity_index":
        third_friday = delivery + timedelta((4 - delivery.weekday()) % 7 + 14)
        return third_friday - timedelta(10), third_friday + timedelta(3)
    if calendar == "metals":
        return delivery - timedelta(9), delivery + timedelta(1)
    before = delivery - timedelta(1)
    return before.replace(day=12), before.replace(day=22)
