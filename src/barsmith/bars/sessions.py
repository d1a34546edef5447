"""When the market trades: dated sessions of a product group, from a table that ships as data.

A session is one stretch of trading, 17:00 to 16:00 Chicago time and shorter before holidays. All times are whole minutes since 1970 UTC.
`calendars/regular.csv` has the regular hours and since when, `calendars/exceptions.csv` every day that differs, each row with its source.
A day without bars that is not in the table is a gap, not a holiday.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, overload
from zoneinfo import ZoneInfo

import numpy as np

from barsmith.bars.minutes import moment
from barsmith.compiled import njit
from barsmith.config import CALENDARS
from barsmith.errors import DataError, UsageError, did_you_mean

HOURS = ("ETH", "RTH", "all")
CHICAGO = ZoneInfo("America/Chicago")
EPOCH = date(1970, 1, 1)
DAY = 1440
FIRST_YEAR, LAST_YEAR = 2015, 2030
KINDS = ("closed", "early", "halt", "regular")
NO_TABLE = (EPOCH, date(2100, 1, 1))


class Day(NamedTuple):
    """An exception: closed, early (ends at `close`), halt (the same, and belongs to the next trade date) or regular."""

    kind: str
    close: time | None


@dataclass(frozen=True, eq=False)
class Sessions:
    """The sessions of one calendar, by number.

    opens, closes: (S,) int64 minutes since 1970 UTC, a session trades in [open, close). trade_date: (S,) int64 days since 1970.
    covers: the minutes from which and before which the table speaks; another minute is DataError `sessions/past-table`.
    """

    calendar: str
    hours: str
    opens: np.ndarray
    closes: np.ndarray
    trade_date: np.ndarray
    covers: tuple[int, int]
    _opens: list[int] = field(init=False, repr=False)
    _closes: list[int] = field(init=False, repr=False)
    _trade_dates: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name, column in (("_opens", self.opens), ("_closes", self.closes), ("_trade_dates", self.trade_date)):
            object.__setattr__(self, name, column.tolist())  # plain ints: a live minute asks four times

    def __len__(self) -> int:
        return len(self._opens)

    def number(self, time: int) -> int:
        """The session that trades at this minute, or -1."""
        i = bisect_right(self._opens, time) - 1
        if i >= 0 and time < self._closes[i]:
            return i
        if not self.covers[0] <= time < self.covers[1]:
            raise self._past(time)
        return -1

    def numbers(self, times: np.ndarray) -> np.ndarray:
        """(n,) minutes, best in order -> (n,) int64 session numbers, -1 outside."""
        times = np.ascontiguousarray(times, np.int64)
        if len(times):
            for extreme in (int(times.min()), int(times.max())):
                if not self.covers[0] <= extreme < self.covers[1]:
                    raise self._past(extreme)
        return walk(times, self.opens, self.closes)

    def span(self, number: int) -> tuple[int, int, int]:
        """Open, close and trade date of a session, as plain ints."""
        return self._opens[number], self._closes[number], self._trade_dates[number]

    @overload
    def bar_start(self, number: int, time: int, step: int) -> int: ...
    @overload
    def bar_start(self, number: np.ndarray, time: np.ndarray, step: int) -> np.ndarray: ...
    def bar_start(self, number: int | np.ndarray, time: int | np.ndarray, step: int) -> int | np.ndarray:
        """Start of the bar of `step` minutes that this in-session minute falls in: bars are anchored on the session's open."""
        opened = self._opens[number] if isinstance(number, int) else self.opens[number]
        return time - (time - opened) % step

    @overload
    def bar_end(self, number: int, time: int, step: int) -> int: ...
    @overload
    def bar_end(self, number: np.ndarray, time: np.ndarray, step: int) -> np.ndarray: ...
    def bar_end(self, number: int | np.ndarray, time: int | np.ndarray, step: int) -> int | np.ndarray:
        """End of that bar, cut at the session's close."""
        if isinstance(number, int):
            end, close = time - (time - self._opens[number]) % step + step, self._closes[number]
            return end if end < close else close
        return np.minimum(time - (time - self.opens[number]) % step + step, self.closes[number])

    def _past(self, time: int) -> DataError:
        first, last = (f"{moment(m):%Y-%m-%d}" for m in (self.covers[0], self.covers[1] - 1))
        return DataError(
            "sessions/past-table",
            expected=f"bars between {first} and {last}, the days that the session table of {self.calendar} knows",
            came=f"a bar of {moment(time):%Y-%m-%d %H:%M} UTC",
            do="list the closed and shortened days of the missing years in a CSV with the columns date,group,kind,time,source, "
            "as barsmith/bars/calendars/exceptions.csv has them, and pass it as load_sessions(..., exceptions=FILE)",
        )


@njit
def walk(times, opens, closes):  # type: ignore[no-untyped-def]
    """Session numbers of minutes: one step forward where they are in order, a search where they are not."""
    out = np.empty(len(times), np.int64)
    i = -1
    for k in range(len(times)):
        t = times[k]
        if (i >= 0 and t < opens[i]) or (i + 1 < len(opens) and t >= opens[i + 1]):
            i = np.searchsorted(opens, t, "right") - 1
        out[k] = i if i >= 0 and t < closes[i] else -1
    return out


def load_sessions(calendar: str, hours: str = "ETH", exceptions: Path | str | None = None) -> Sessions:
    """The sessions of a product group.

    calendar: equity_index, metals, energy or always. hours: ETH (the whole session), RTH (the floor's hours, none on a halt
    holiday) or all (no filter: a session is a UTC day, as for `always`). exceptions: a CSV of the user's, with the columns of
    the shipped one; its rows come before the shipped ones, and the table then reaches to the end of its last year.
    Raises UsageError `sessions/calendar`, `sessions/hours`, `sessions/no-file`; DataError `sessions/table` for a bad row.
    """
    for name, known, code in ((calendar, CALENDARS, "sessions/calendar"), (hours, HOURS, "sessions/hours")):
        if name not in known:
            raise UsageError(code, expected=f"one of {', '.join(known)}", came=repr(name), do=did_you_mean(str(name), known))
    if exceptions is None:
        return _sessions(calendar, hours, "")
    try:
        text = Path(exceptions).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "sessions/no-file", expected="a readable CSV of exceptions", came=f"{exceptions}: {error}", do="check the path"
        ) from error
    return _sessions(calendar, hours, text)


@lru_cache(maxsize=16)
def _sessions(calendar: str, hours: str, extra: str) -> Sessions:
    if calendar == "always" or hours == "all":
        first, last = ((day - EPOCH).days for day in NO_TABLE)
        days = np.arange(first, last, dtype=np.int64)
        return Sessions(calendar, hours, days * DAY, (days + 1) * DAY, days, (first * DAY, last * DAY))
    shipped = _exceptions(_shipped("exceptions.csv"), calendar, "exceptions.csv")
    own = _exceptions(extra, calendar, "the exceptions given") if extra else {}
    last_year = max([LAST_YEAR, *(day.year for day in own)])
    regular = _regular(calendar, hours)
    known = shipped | own
    rows: list[tuple[int, int, int]] = []
    halted: list[int] = []
    day, end = date(FIRST_YEAR, 1, 1), date(last_year, 12, 31)
    while day <= end:
        exception = known.get(day)
        kind = exception.kind if exception else "regular"
        if kind != "closed" and (day.weekday() < 5 or exception) and not (kind == "halt" and hours == "RTH"):
            opens, closes = next(span for since, span in reversed(regular) if since <= day)
            early = exception.close if exception and exception.close else closes
            eve = day - timedelta(1) if opens > closes else day
            start, stop = _minute(eve, opens), _minute(day, early if opens > closes else min(early, closes))
            if start < stop:
                if kind == "halt":
                    halted.append(len(rows))
                rows.append((start, stop, (day - EPOCH).days))
        day += timedelta(1)
    opened, closed, traded = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    for i in reversed(halted):  # backwards: two halts in a row belong to the day after both
        traded[i] = traded[min(i + 1, len(traded) - 1)]
    covers = _minute(date(FIRST_YEAR - 1, 12, 31), time(17)), _minute(end, time(17))
    return Sessions(calendar, hours, opened, closed, traded, covers)


def _minute(day: date, at: time) -> int:
    return int(datetime.combine(day, at, CHICAGO).timestamp()) // 60


def _shipped(name: str) -> str:
    return files("barsmith.bars").joinpath("calendars", name).read_text(encoding="utf-8")


def _regular(calendar: str, hours: str) -> list[tuple[date, tuple[time, time]]]:
    rows = csv.DictReader(io.StringIO(_shipped("regular.csv")))
    mine = [row for row in rows if (row["group"], row["hours"]) == (calendar, hours)]
    return [(date.fromisoformat(r["first"]), (time.fromisoformat(r["open"]), time.fromisoformat(r["close"]))) for r in mine]


def _exceptions(text: str, calendar: str, where: str) -> dict[date, Day]:
    table: dict[date, Day] = {}
    for line, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        try:
            day, group, kind, close = date.fromisoformat(row["date"]), row["group"], row["kind"], row["time"]
            if group not in CALENDARS or kind not in KINDS or (kind in ("early", "halt")) != bool(close):
                raise ValueError(f"{group}, {kind}, {close}")
            if group == calendar:
                table[day] = Day(kind, time.fromisoformat(close) if close else None)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                "sessions/table",
                expected=f"date,group,kind,time,source with kind one of {', '.join(KINDS)} and a time for early and halt",
                came=f"{error!r}",
                do="correct that row",
                where=f"{where} line {line}",
            ) from error
    return table
