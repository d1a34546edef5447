"""Wall-clock minutes of a timezone as UTC minutes, where that has one answer."""

from __future__ import annotations

import zoneinfo

import numpy as np
import polars as pl

from barsmith.bars.minutes import US_PER_MINUTE
from barsmith.bars.quality import bar_name, others
from barsmith.errors import DataError, UsageError, did_you_mean


def check_zone(timezone: str) -> None:
    """Raises UsageError `config/timezone` for a name that is no IANA zone."""
    try:
        zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        hint = did_you_mean(str(timezone), zoneinfo.available_timezones() or {"UTC"})
        raise UsageError(
            "config/timezone",
            expected="the IANA name of a timezone, as America/Chicago or UTC",
            came=repr(timezone)[:80],
            do=hint if hint.startswith("did you mean") else "look it up in the IANA list",
        ) from error


def to_utc(wall: np.ndarray, timezone: str, where: str) -> np.ndarray:
    """(n,) int64 minutes of the wall clock since 1970 -> UTC minutes.

    An hour that the clock shows twice is told by the order of the bars: the clock must step back once within it.
    Raises DataError `bars/nonexistent-time` for a minute the clock skipped, `bars/ambiguous-time` where the order does not tell.
    """
    clock = pl.Series(wall * US_PER_MINUTE).cast(pl.Datetime("us"))
    earliest = clock.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    if earliest.null_count():
        rows = earliest.is_null().arg_true().to_numpy()
        raise DataError(
            "bars/nonexistent-time",
            expected=f"times that the clock of {timezone} showed",
            came=f"{_named(rows[0], clock)}, which it skipped{others(rows)}",
            do="check timezone; stamps may be in UTC or in another zone",
            where=where,
        )
    first = earliest.to_physical().to_numpy() // US_PER_MINUTE
    last = clock.dt.replace_time_zone(timezone, ambiguous="latest").to_physical().to_numpy() // US_PER_MINUTE
    twice = np.flatnonzero(first != last)
    if not len(twice):
        return np.ascontiguousarray(first)
    return _resolved(wall, first, last, twice, clock, timezone, where)


def _resolved(
    wall: np.ndarray, first: np.ndarray, last: np.ndarray, twice: np.ndarray, clock: pl.Series, timezone: str, where: str
) -> np.ndarray:
    out = first.copy()
    falls = np.count_nonzero(np.diff(wall) < 0) > len(wall) // 2  # newest first
    for rows in np.split(twice, np.flatnonzero(np.abs(np.diff(first[twice])) > 12 * 60) + 1):
        ordered = rows[::-1] if falls else rows
        back = np.flatnonzero(np.diff(wall[ordered]) < 0)
        if len(back) != 1:
            raise DataError(
                "bars/ambiguous-time",
                expected=f"times that the clock of {timezone} showed once, or bars in order with the hour it showed twice whole",
                came=f"{_named(rows[0], clock)}, which may be either of two{others(rows)}",
                do="export the stamps in UTC or with their offset",
                where=where,
            )
        later = ordered[back[0] + 1 :]
        out[later] = last[later]
    return out


def _named(row: int, clock: pl.Series) -> str:
    return f"{bar_name(int(row))} at {clock[int(row)]:%Y-%m-%d %H:%M}"
