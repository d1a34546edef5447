"""Date and clock texts, piece by piece: a file has few different dates and few different clock times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

EPOCH = date(1970, 1, 1).toordinal()
SECOND = 1_000_000
YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
CLOCK = re.compile(
    r"(?:(?P<h>\d{1,2}):(?P<m>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?)?|(?P<hh>\d\d)(?P<mm>\d\d)(?P<ss>\d\d)?)"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?\s*(?P<zone>[Zz]|UTC|GMT|[-+]\d\d(?::?\d\d)?|[A-Za-z]+(?:/[A-Za-z_+-]+[0-9]{0,2}){1,2})?",
    re.ASCII,
)

Clock = tuple[int, int | str | None]
"""Microseconds since midnight, and where one was written the offset from UTC in minutes, or a zone's name (`US/Central`)."""


class AmbiguousDatesError(ValueError):
    """All dates read both as day/month and as month/day."""


def days(texts: Sequence[str]) -> list[int | None]:
    """Days since 1970 of each date, None where it is none. Day/month or month/day is told by a number over 12.

    Raises AmbiguousDatesError where no date tells, or two tell differently.
    """
    parsed = [_parts(text.strip()) for text in texts]
    pairs = [(parts[0], parts[1]) for parts in parsed if parts and parts[3]]
    day_first = any(first > 12 for first, _ in pairs)
    month_first = any(second > 12 for _, second in pairs)
    if pairs and day_first == month_first and any(first != second for first, second in pairs):
        raise AmbiguousDatesError
    return [_day(parts, day_first) for parts in parsed]


def _parts(text: str) -> tuple[int, int, int, bool] | None:
    """Two numbers, the year, and whether the numbers stood before the year."""
    if found := YEAR_LAST.fullmatch(text):
        return int(found[1]), int(found[3]), int(found[4]), True
    if found := YEAR_FIRST.fullmatch(text):
        return int(found[3]), int(found[4]), int(found[1]), False
    if found := COMPACT.fullmatch(text):
        return int(found[2]), int(found[3]), int(found[1]), False
    return None


def _day(parts: tuple[int, int, int, bool] | None, day_first: bool) -> int | None:
    if parts is None:
        return None
    first, second, year, stood_before = parts
    month, day = (second, first) if stood_before and day_first else (first, second)
    try:
        return date(year, month, day).toordinal() - EPOCH
    except ValueError:
        return None


def clock(text: str) -> Clock | None:
    """A time of day, None where it is none: no 24:00, no leap second."""
    found = CLOCK.fullmatch(text.strip())
    if not found:
        return None
    hour, minute, second = (int(found[a] or found[b] or 0) for a, b in (("h", "hh"), ("m", "mm"), ("s", "ss")))
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    fraction = (found["f"] or "").ljust(9, "0")
    micros = ((hour * 60 + minute) * 60 + second) * SECOND + int(fraction[:6]) + (int(fraction[6:]) > 0)  # never lost: off the grid anyway
    zone = found["zone"]
    if not zone:
        return micros, None
    if "/" in zone:
        return micros, zone
    offset = _offset(zone)
    return None if offset is None else (micros, offset)


def _offset(zone: str) -> int | None:
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    return (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1) if hours <= 15 and minutes <= 59 else None
