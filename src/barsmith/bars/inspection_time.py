"""Which zone a file's stamps were written in, and which end of its minute they mark: told by the breaks of the market.

A stretch of trading begins with the minute of a session's open and ends with the minute before its close. Of all zones and both
conventions only the true one makes them fit, because a wrong zone is off by half an hour or more and a wrong convention by a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from barsmith.bars.sessions import Sessions, load_sessions

ZONES = (
    "UTC", "America/Chicago", "America/New_York", "Europe/London", "Europe/Berlin", "Asia/Tokyo", "America/Denver", "America/Los_Angeles",
    "America/Phoenix", "America/Bogota", "America/Sao_Paulo", "America/Halifax", "Europe/Athens", "Europe/Moscow", "Asia/Dubai",
    "Asia/Kolkata", "Asia/Bangkok", "Asia/Singapore", "Australia/Sydney", "Australia/Brisbane", "Pacific/Auckland",
    *(f"Etc/GMT{-hours:+d}" for hours in range(-11, 15) if hours),
)  # fmt: skip
"""The likeliest first; of zones with the same clock all year round the first counts."""
PAUSE = 30
"""Minutes without a bar that end a stretch of trading."""
STRETCH = 60
"""A stretch of fewer bars is a stray echo, or a fragment that begins anywhere."""
FITS, WELL = 0.5, 0.8
"""Shares of edges that fit, from which a reading is likely, or sure."""
ENOUGH = 4
"""Edges that must tell the best reading from the next one; twice as many make it sure."""
CALENDARS = ("equity_index", "metals", "energy")


@dataclass(frozen=True)
class Fit:
    """How well stretches of trading fit the sessions of one reading.

    begins, ends: how many of how many lie exactly there. shifted: how many begin exactly an hour off, as they do in the weeks in
    which another clock has changed and this one has not.
    """

    zones: tuple[str, ...]
    timestamps: str
    calendar: str
    hours: str
    begins: tuple[int, int]
    ends: tuple[int, int]
    shifted: int

    @property
    def share(self) -> float:
        counts = [hit / of for hit, of in (self.begins, self.ends) if of]
        return min(counts) if counts else 0.0

    @property
    def hits(self) -> int:
        """Edges that fit, as far as both kinds do: a market that ends at one hour only by chance begins at another."""
        return 2 * min(self.begins[0], self.ends[0])

    def told(self) -> str:
        sessions = f"{self.hours} sessions of {self.calendar.replace('_', ' ')}"
        return (
            f"{self.begins[0]} of {self.begins[1]} stretches of trading begin with the first minute of the {sessions} "
            f"and {self.ends[0]} of {self.ends[1]} end with the last"
        )


@dataclass(frozen=True)
class Clock:
    """best: the reading that fits best, None where no break shows anything. second: the best of those that mean other moments.

    by_convention: {open|close: the best fit of that convention}. rivals: zones whose clock agrees with the best one's in this file, but
    not all year round. breaks: stretches of trading that were held against the sessions.
    """

    best: Fit | None
    second: Fit | None
    by_convention: dict[str, Fit]
    rivals: tuple[str, ...]
    breaks: int = 0

    @property
    def trouble(self) -> str:
        """Why it is not known."""
        if 2 * (self.breaks - 1) < ENOUGH or (self.best is not None and self.best.share >= FITS):
            return "the file shows too few breaks of the market to tell"
        return f"of {self.breaks} stretches of trading too few begin and end with a session"

    @property
    def margin(self) -> int:
        """Edges that fit the best reading and not the next one."""
        return 0 if self.best is None else self.best.hits - (self.second.hits if self.second else 0)

    @property
    def is_known(self) -> bool:
        """Whether the offset from UTC and the convention are told."""
        return self.best is not None and self.best.share >= FITS and self.margin >= ENOUGH

    @property
    def is_sure(self) -> bool:
        return self.is_known and self.best is not None and self.best.share >= WELL and self.margin >= 2 * ENOUGH


def clock_of(minutes: np.ndarray, *, is_utc: bool, calendars: Sequence[str]) -> Clock:
    """The clock of stamps.

    minutes: (n,) different minutes in order, of the wall clock, or of UTC. calendars: the sessions that come into question.
    """
    first, last = stretches(minutes)
    groups = {(0,): ("UTC",)} if is_utc else offsets(minutes)
    tables = [load_sessions(calendar, hours) for calendar in calendars for hours in ("ETH", "RTH")]
    fits = [fit for offset, zones in groups.items() for fit in _fits(first, last, np.array(offset), zones, tables, int(minutes[0] // 1440))]
    ranked = sorted(fits, key=lambda fit: (-fit.hits, fit.hours != "ETH"))
    if not ranked or ranked[0].hits == 0:
        return Clock(None, None, {}, (), len(first))
    best = ranked[0]
    second = next((fit for fit in ranked if (fit.zones, fit.timestamps) != (best.zones, best.timestamps)), None)
    of_zone = [fit for fit in ranked if fit.zones == best.zones and (fit.calendar, fit.hours) == (best.calendar, best.hours)]
    by_convention = {fit.timestamps: fit for fit in reversed(of_zone)}
    return Clock(best, second, by_convention, () if is_utc else rivals(best.zones, minutes), len(first))


def stretches(minutes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last minutes of the stretches of trading."""
    cuts = np.flatnonzero(np.diff(minutes) > PAUSE) + 1
    starts, ends = np.append(0, cuts), np.append(cuts, len(minutes)) - 1
    long = ends - starts + 1 >= STRETCH
    return minutes[starts[long]], minutes[ends[long]]


def offsets(minutes: np.ndarray) -> dict[tuple[int, ...], tuple[str, ...]]:
    """Minutes ahead of UTC on each day of the file -> the zones whose clock it was."""
    days = range(int(minutes[0] // 1440), int(minutes[-1] // 1440) + 1)
    groups: dict[tuple[int, ...], list[str]] = {}
    for zone in ZONES:
        groups.setdefault(tuple(offset_on(zone, day) for day in days), []).append(zone)
    return {offset: tuple(zones) for offset, zones in groups.items()}


def offset_on(zone: str, day: int) -> int:
    """Minutes ahead of UTC at noon of that day since 1970. Clocks change in the night from Saturday to Sunday, when the market is closed."""
    noon = datetime(1970, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
    ahead = noon.astimezone(ZoneInfo(zone)).utcoffset()
    assert ahead is not None
    return int(ahead.total_seconds()) // 60


def rivals(zones: Sequence[str], minutes: np.ndarray) -> tuple[str, ...]:
    """Of zones that agree within the file those that part from the first one within the year around it."""
    around = range(int(minutes[0] // 1440) - 190, int(minutes[-1] // 1440) + 190, 7)
    own = [offset_on(zones[0], day) for day in around]
    return tuple(zone for zone in zones[1:] if [offset_on(zone, day) for day in around] != own)


def _fits(
    first: np.ndarray, last: np.ndarray, offset: np.ndarray, zones: tuple[str, ...], tables: Sequence[Sessions], day: int
) -> list[Fit]:
    if not len(first):
        return []
    begin, end = (edge - (offset[edge // 1440 - day] if len(offset) > 1 else offset[0]) for edge in (first, last))
    found = []
    for sessions in tables:
        for timestamps in ("open", "close"):
            shift = timestamps == "close"
            begins = np.isin(begin - shift, sessions.opens)[1:]  # the file itself may begin and end anywhere
            ends = np.isin(end - shift + 1, sessions.closes)[:-1]
            begun, ended = ((int(hits.sum()), len(hits)) for hits in (begins, ends))
            away = begin[1:] - shift
            shifted = int((np.isin(away - 60, sessions.opens) | np.isin(away + 60, sessions.opens)).sum())
            found.append(Fit(zones, timestamps, sessions.calendar, sessions.hours, begun, ended, shifted))
    return found


def opening_jump(minutes: np.ndarray, volume: np.ndarray, calendar: str) -> tuple[int, float] | None:
    """Where the volume jumps around the regular open, and by how much; None where there is too little to see it.

    minutes: UTC opens of the bars. Returns the minutes from the open to the jump, 0 where bars are stamped as they should be, and
    the median volume of that minute over that of the minute before.
    """
    opens = load_sessions(calendar, "RTH").opens
    opens = opens[(opens >= minutes[0] + 10) & (opens <= minutes[-1] - 10)]
    around = np.arange(-4, 5)
    place = np.searchsorted(minutes, opens[:, None] + around)
    place = np.minimum(place, len(minutes) - 1)
    there = minutes[place] == opens[:, None] + around
    whole = there.all(axis=1)
    if np.count_nonzero(whole) < ENOUGH:
        return None
    median = np.median(volume[place[whole]], axis=0)
    ratio = median[1:] / np.maximum(median[:-1], 1.0)
    at = int(ratio.argmax())
    return int(around[at + 1]), float(ratio[at])
