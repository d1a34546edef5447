"""Stamps of any vendor as UTC minutes: ISO 8601, compact, slashed, date and time apart, Datetime columns, declared epochs.

Nothing is guessed: a naive stamp needs a zone, an integer a unit, 03/04/2025 another date that tells day from month.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import US_PER_MINUTE
from barsmith.bars.quality import bar_name, others
from barsmith.bars.stamp_text import AmbiguousDatesError, clock, days
from barsmith.bars.zones import check_zone, to_utc
from barsmith.errors import DataError, UsageError

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
PER_MINUTE = {"ms": 60_000, "us": US_PER_MINUTE, "ns": 60_000_000_000}
FIRST_YEAR, LAST_YEAR = 1980, 2100
EARLIEST, LATEST = (int(np.datetime64(f"{year}-01-01", "m").astype(np.int64)) for year in (FIRST_YEAR, LAST_YEAR + 1))
NS_PER_DAY = 1440 * PER_MINUTE["ns"]
NUMERIC = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", re.ASCII)
JOINED = re.compile(r"(19|20)\d{10}(\d\d)?", re.ASCII)
DATE_ALONE = re.compile(r"(19|20)\d{6}", re.ASCII)
ISO = re.compile(r"[\d/.-]+[Tt]\d")
SHAPES = "2025-06-12T04:01:00Z, 2025-06-12 04:01, 20250612 040100 or 06/30/2025 04:01"


@dataclass(frozen=True)
class Stamps:
    """time: (n,) int64 UTC minutes in the order of the source. zone: where they came from, for the record."""

    time: np.ndarray
    zone: str


def read_stamps(frame: pl.DataFrame, *, timezone: str | None, epoch_unit: str | None, where: str) -> Stamps:
    """UTC minutes of the column `datetime`, or of `date` and `time` together.

    Raises DataError `bars/no-timestamp`, `bars/bad-timestamp`, `bars/off-grid`, `bars/no-timezone`, `bars/epoch-unit`,
    `bars/nonexistent-time`, `bars/ambiguous-time`; UsageError `config/timezone`, `config/epoch-unit`.
    """
    if timezone is not None:
        check_zone(timezone)
    if epoch_unit is not None and epoch_unit not in UNITS:
        raise UsageError("config/epoch-unit", expected=f"one of {', '.join(UNITS)}", came=repr(epoch_unit)[:80], do="correct epoch_unit")
    reading = _Reading(timezone, epoch_unit, where)
    if "datetime" in frame.columns:
        return reading.moments(reading.present(frame["datetime"]))
    return reading.pieces(reading.date_texts(reading.present(frame["date"])), reading.clock_texts(reading.present(frame["time"])))


@dataclass(frozen=True)
class _Reading:
    timezone: str | None
    epoch_unit: str | None
    where: str

    def present(self, column: pl.Series) -> pl.Series:
        """The column without white space; a stamp that is missing is refused."""
        if isinstance(column.dtype, pl.Categorical | pl.Enum):
            column = column.cast(pl.String)
        if column.dtype == pl.String:
            column = column.str.strip_chars()
            missing = column.is_null() | (column == "")
        elif column.dtype.is_float():
            missing = column.is_null() | column.is_nan()
        else:
            missing = column.is_null()
        if missing.all():
            raise self.refused("bars/no-timestamp", "a stamp for each bar", f"a column {column.name} without any", "check the export")
        if missing.any():
            rows = missing.arg_true().to_numpy()
            raise self.bad(f"{bar_name(int(rows[0]))} without one{others(rows)}")
        return column

    def moments(self, column: pl.Series) -> Stamps:
        kind = column.dtype
        if isinstance(kind, pl.Datetime):
            per_minute = PER_MINUTE[kind.time_unit]
            ticks = column.to_physical().to_numpy()
            minutes, rest = np.divmod(ticks, per_minute)
            self.refuse_years(minutes, "bars/bad-timestamp")
            self.refuse_off_grid(rest, column)
            return self.placed(minutes, kind.time_zone or "")
        if kind == pl.String:
            return self.texts(column)
        if kind.is_numeric():
            return self.epochs(column)
        raise self.bad(f"a column of {kind}")

    def texts(self, column: pl.Series) -> Stamps:
        first = column[0]
        if JOINED.fullmatch(first):
            return self.pieces(column.str.slice(0, 8), column.str.slice(8))
        if NUMERIC.fullmatch(first) and not DATE_ALONE.fullmatch(first):
            values = column.cast(pl.Int64, strict=False)
            if values.null_count():
                values = column.cast(pl.Float64, strict=False)
            self.refuse_unread(values.is_null().to_numpy(), column)
            return self.epochs(values.alias(column.name))
        parts = column.str.splitn("T" if ISO.match(first) else " ", 2).struct.unnest()
        date_texts, clock_texts = parts.get_columns()
        self.refuse_unread(clock_texts.is_null().to_numpy(), column)
        return self.pieces(date_texts, clock_texts, column)

    def pieces(self, date_texts: pl.Series, clock_texts: pl.Series, column: pl.Series | None = None) -> Stamps:
        """Moments of dates and clock times: each different text is read once."""
        column = date_texts + " " + clock_texts if column is None else column
        date_codes, dates = _coded(date_texts)
        clock_codes, clocks = _coded(clock_texts)
        try:
            read_dates = days(dates)
        except AmbiguousDatesError:
            raise self.bad(f"dates such as {column[0]!r}, of which none or two tell whether the day or the month stands first") from None
        read_clocks = [clock(text) for text in clocks]
        unread_dates, unread_clocks = (np.array([piece is None for piece in read], bool) for read in (read_dates, read_clocks))
        if unread_dates.any() or unread_clocks.any():
            self.refuse_unread(unread_dates[date_codes] | unread_clocks[clock_codes], column)
        micros, offsets = np.array([piece[0] for piece in read_clocks if piece], np.int64), [piece[1] for piece in read_clocks if piece]
        self.refuse_off_grid((micros % US_PER_MINUTE)[clock_codes], column)
        wall = np.array(read_dates, np.int64)[date_codes] * 1440 + (micros // US_PER_MINUTE)[clock_codes]
        return self._offset(wall, offsets, clock_codes, column)

    def _offset(self, wall: np.ndarray, offsets: list[int | str | None], codes: np.ndarray, column: pl.Series) -> Stamps:
        if any(isinstance(offset, str) for offset in offsets):
            return self._named(wall, offsets, column)
        if all(offset is None for offset in offsets):
            return self.placed(wall, "")
        naive = np.array([offset is None for offset in offsets], bool)
        if naive.any():
            rows = np.flatnonzero(naive[codes])
            raise self.bad(f"{bar_name(int(rows[0]))} stamped {column[int(rows[0])]!r} without an offset, others with one{others(rows)}")
        known = [offset for offset in offsets if isinstance(offset, int)]
        zones = ", ".join(f"{'-' if o < 0 else '+'}{abs(o) // 60:02d}:{abs(o) % 60:02d}" for o in sorted(set(known)))
        return self.placed(wall - np.array(known, np.int64)[codes], f"offsets {zones}" if any(known) else "UTC")

    def _named(self, wall: np.ndarray, zones: list[int | str | None], column: pl.Series) -> Stamps:
        """Stamps that name their zone, as those of Interactive Brokers do: `20250612 04:00:00 US/Central`."""
        named = sorted({str(zone) for zone in zones})
        if len(named) > 1:
            raise self.bad(f"stamps such as {column[0]!r} with the zones {', '.join(named)[:80]}")
        self.refuse_years(wall, "bars/bad-timestamp")
        try:
            check_zone(named[0])
            return Stamps(to_utc(wall, named[0], self.where), named[0])
        except (UsageError, pl.exceptions.PolarsError) as error:
            raise self.bad(f"stamps such as {column[0][:60]!r}, whose zone is none") from error

    def placed(self, minutes: np.ndarray, zone: str) -> Stamps:
        """UTC minutes of minutes whose zone is known, or of wall-clock minutes where it is "" and `timezone` says it."""
        self.refuse_years(minutes, "bars/bad-timestamp")
        if zone:
            return Stamps(np.ascontiguousarray(minutes, np.int64), zone)
        if self.timezone is None:
            raise self.refused(
                "bars/no-timezone",
                "stamps with a zone, or the zone they were written in",
                f"naive ones such as {np.datetime64(int(minutes[0]), 'm')}",
                'say which: timezone="UTC", timezone="America/Chicago" ... (ingest.timezone)',
            )
        if self.timezone == "UTC":
            return Stamps(np.ascontiguousarray(minutes, np.int64), "UTC")
        return Stamps(to_utc(minutes, self.timezone, self.where), self.timezone)

    def epochs(self, column: pl.Series) -> Stamps:
        """Minutes of counts since 1970 in the declared unit."""
        values = column.cast(pl.Float64).to_numpy()
        if self.epoch_unit is None:
            fits = [unit for unit, each in UNITS.items() if EARLIEST <= values[0] / each / 60 < LATEST]
            do = f'they look like {fits[0]}: pass epoch_unit="{fits[0]}" if that is so' if fits else "export dates and times, in UTC"
            raise self.refused("bars/epoch-unit", f"dates and times as {SHAPES}", f"numbers such as {column[0]} and no epoch_unit", do)
        per_minute = 60 * UNITS[self.epoch_unit]
        self.refuse_years(values / per_minute, "bars/epoch-unit")
        counts = column.cast(pl.Int64, strict=False).to_numpy() if not column.dtype.is_float() else np.floor(values).astype(np.int64)
        minutes, rest = np.divmod(counts, per_minute)
        self.refuse_off_grid(rest + (values != np.floor(values) if column.dtype.is_float() else 0), column)
        return self.placed(minutes, f"epoch {self.epoch_unit}")

    def date_texts(self, column: pl.Series) -> pl.Series:
        kind = column.dtype
        if kind == pl.Date or isinstance(kind, pl.Datetime):
            per_day = 1 if kind == pl.Date else PER_MINUTE[kind.time_unit] * 1440  # type: ignore[attr-defined]
            number, rest = np.divmod(column.to_physical().cast(pl.Int64).to_numpy(), per_day)
            self.refuse_years(number * 1440, "bars/bad-timestamp")
            self.refuse_unread(rest != 0, column)
            return pl.Series(column.name, number.astype(np.int32)).cast(pl.Date).dt.strftime("%Y-%m-%d")
        if kind == pl.String or kind.is_integer():
            return column.cast(pl.String)
        raise self.bad(f"a date column of {kind}")

    def clock_texts(self, column: pl.Series) -> pl.Series:
        kind = column.dtype
        if kind == pl.Time:
            ticks = column.to_physical().to_numpy()
            if ticks.min() < 0 or ticks.max() >= NS_PER_DAY:
                raise self.bad("times of day before 00:00 or after 23:59")
            return column.dt.strftime("%H:%M:%S%.f")
        if kind.is_integer():  # 930 is half past nine, 93000 as well
            return column.cast(pl.String).str.zfill(4 if int(column.max()) < 2400 else 6)  # type: ignore[arg-type]
        if kind == pl.String:
            return column
        raise self.bad(f"a time column of {kind}")

    def refuse_unread(self, unread: np.ndarray, column: pl.Series) -> None:
        if unread.any():
            rows = np.flatnonzero(unread)
            raise self.bad(f"{bar_name(int(rows[0]))} stamped {str(column[int(rows[0])])[:60]!r}{others(rows)}")

    def refuse_off_grid(self, rest: np.ndarray, column: pl.Series) -> None:
        if rest.any():
            rows = np.flatnonzero(rest)
            raise self.refused(
                "bars/off-grid",
                "stamps on whole minutes",
                f"{bar_name(int(rows[0]))} stamped {column[int(rows[0])]}{others(rows)}",
                "export one-minute bars",
            )

    def refuse_years(self, minutes: np.ndarray, code: str) -> None:
        wrong = ~((minutes >= EARLIEST) & (minutes < LATEST))
        if wrong.any():
            rows = np.flatnonzero(wrong)
            value = float(minutes[rows[0]])
            year = str(int(1970 + value / 525_949.2)) if np.isfinite(value) and abs(value) < 1e12 else "no year at all"
            do = "correct epoch_unit" if code == "bars/epoch-unit" else "check the stamps"
            came = f"{bar_name(int(rows[0]))} in {year}{others(rows)}"
            raise self.refused(code, f"years {FIRST_YEAR} to {LAST_YEAR}", came, do)

    def bad(self, came: str) -> DataError:
        return self.refused("bars/bad-timestamp", f"stamps as {SHAPES}, all alike", came, "correct or export them again")

    def refused(self, code: str, expected: str, came: str, do: str) -> DataError:
        return DataError(code, expected=expected, came=came, do=do, where=self.where)


def _coded(texts: pl.Series) -> tuple[np.ndarray, list[Any]]:
    """Each text's place in the list of different texts, and the list."""
    different = texts.unique(maintain_order=True)
    return texts.cast(pl.Enum(different)).to_physical().to_numpy(), different.to_list()
