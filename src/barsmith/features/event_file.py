"""The file of scheduled events: a CSV with the columns `datetime` and `event`, read whole or refused with the line at fault."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from barsmith.bars.raw_file import read_file
from barsmith.bars.timestamps import FIRST_YEAR, LAST_YEAR
from barsmith.config import shown
from barsmith.errors import DataError, UsageError
from barsmith.features.events import Events

COLUMNS = ("datetime", "event")
#: More than a century of four a day. A bundle's record holds them all.
MOST = 100_000
KIND = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")


def read_events(path: Path, *, root: Path, allow_outside: bool = False) -> Events:
    """The events of a file, in any order there; other columns are not read.

    root: the folder that the file, links followed, must lie in, unless allow_outside.
    Raises UsageError `events/not-found`, `events/not-a-file`; DataError `events/outside-root`, `events/unreadable`, `events/encoding`,
    `events/empty`, `events/missing-column`, `events/quoting`, `events/field-count`, `events/bad-timestamp`, `events/no-timezone`,
    `events/off-grid`, `events/bad-name`, `events/duplicate`, `events/too-many`.
    """
    try:
        file = read_file(path, root=root, allow_outside=allow_outside)
    except (UsageError, DataError) as error:  # it speaks of bars
        expected = "a CSV file of events in the workspace, as the setting `events` names it"
        code, do = error.code.replace("bars/", "events/"), "check the path, relative to the workspace"
        raise type(error)(code, expected=expected, came=error.came, do=do, where=error.where) from None
    return EventFile(file.name).events(file.data)


class EventFile:
    """One reading of a file. name: as errors show it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def events(self, data: bytes) -> Events:
        times: dict[str, list[int]] = {}
        lines: dict[tuple[str, int], int] = {}
        spelled: dict[str, str] = {}
        for line, stamp, kind in self.entries(self.text(data)):
            minute = self.minute(stamp, line)
            if not KIND.fullmatch(kind):
                expected = "an event's name of 1 to 40 letters, digits and underscores that starts with a letter"
                raise self.bad("bad-name", expected, shown(kind), "rename it", line)
            if spelled.setdefault(kind.lower(), kind) != kind:
                raise self.bad("bad-name", f"one spelling of {spelled[kind.lower()]}", kind, "write them alike", line)
            if (kind, minute) in lines:
                came = f"that of line {lines[kind, minute]} again"
                raise self.bad("duplicate", "each event once", came, "remove one of the two", line)
            lines[kind, minute] = line
            times.setdefault(kind, []).append(minute)
            if len(lines) > MOST:
                raise self.bad("too-many", f"at most {MOST:,} events", "more", "keep those that the market waits for", line)
        if not times:
            raise self.bad("empty", "one event or more", "none", "add the events, or leave the setting `events` out")
        return Events({kind: sorted(times[kind]) for kind in sorted(times)})

    def text(self, data: bytes) -> str:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise self.bad("encoding", "UTF-8 text", f"the byte 0x{data[error.start]:02x}", "save it as UTF-8", line) from None

    def entries(self, text: str) -> Iterator[tuple[int, str, str]]:
        """(line, stamp, kind) of each row that is not blank."""
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        places: list[int] = []
        width = 0
        try:
            for row in rows:
                fields = [each.strip() for each in row]
                if not any(fields):
                    continue
                if not places:
                    places, width = self.places([each.lower() for each in fields], rows.line_num), len(fields)
                    continue
                if len(fields) != width:
                    raise self.bad("field-count", f"{width} fields, as the header has", str(len(fields)), "mend the line", rows.line_num)
                yield rows.line_num, fields[places[0]], fields[places[1]]
        except csv.Error as error:
            raise self.bad("quoting", "comma-separated fields", shown(str(error)), "mend the line", rows.line_num) from None

    def places(self, header: list[str], line: int) -> list[int]:
        for column in COLUMNS:
            if header.count(column) != 1:
                came = f"the header {shown(','.join(header))}"
                raise self.bad("missing-column", f"one column {column}", came, "begin the file with the line datetime,event", line)
        return [header.index(column) for column in COLUMNS]

    def minute(self, stamp: str, line: int) -> int:
        """Minutes since 1970 UTC."""
        do = "write it as 2026-03-11T12:30Z or 2026-03-11T08:30-04:00"
        try:
            moment = datetime.fromisoformat(stamp) if stamp.isascii() else None
            in_utc = moment.astimezone(UTC) if moment and moment.tzinfo else None
        except (ValueError, OverflowError):  # the first and last hours of the calendar are in no year of UTC
            moment = in_utc = None
        if moment is None:
            raise self.bad("bad-timestamp", "an ISO time with its zone", shown(stamp), do, line)
        if in_utc is None:
            raise self.bad("no-timezone", "a time with its zone: a naive one may be anywhere", shown(stamp), do, line)
        if not FIRST_YEAR <= in_utc.year <= LAST_YEAR:
            raise self.bad("bad-timestamp", f"years {FIRST_YEAR} to {LAST_YEAR}", shown(stamp), "check the year", line)
        if in_utc.second or in_utc.microsecond:
            raise self.bad("off-grid", "a whole minute", shown(stamp), do, line)
        return int(in_utc.timestamp()) // 60

    def bad(self, code: str, expected: str, came: str, do: str, line: int | None = None) -> DataError:
        where = self.name if line is None else f"{self.name} line {line}"
        return DataError(f"events/{code}", expected=expected, came=came, do=do, where=where)
