"""Raw bars of any vendor, read once and checked at the door: the only way into barsmith for a price.

A Parquet or CSV file or a Polars frame becomes one frame of UTC minutes in order, each once, with a record of everything that
was found, shifted, put aside or doubtful. What cannot be trusted is refused with the bar that shows it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from barsmith.bars.columns import Columns, assign
from barsmith.bars.contracts import contract_names, is_spread, overlap
from barsmith.bars.csv_reader import read_csv
from barsmith.bars.front import front_series
from barsmith.bars.history_checks import check_history
from barsmith.bars.minutes import FIELDS, as_datetime, minute_of, moment
from barsmith.bars.number_columns import decimal_sign, fixed_point_prices, numbers
from barsmith.bars.quality import Quality, bar_names
from barsmith.bars.raw_file import RawFile, content_format, read_file
from barsmith.bars.row_checks import ROW_CHECKS, Bounds, Rows, bad_rows, put_aside, refusal, widen
from barsmith.bars.timestamps import read_stamps
from barsmith.errors import DataError, UsageError

if TYPE_CHECKING:  # sessions bring Numba, which reading a file does not need
    from barsmith.bars.sessions import Sessions

PRICE_LIMITS = (1e-9, 1e9)


@dataclass(frozen=True)
class RawBars:
    """Bars as they may be used, the record of how they were read, and the bars that were put aside.

    frame: datetime (UTC, the bar's open), open high low close volume Float64, and where the source has them contract String and
    roll_ratio Float64; in order, each minute once.
    rejects: row (from 1, in the order of the source), datetime, open high low close volume, reason.
    """

    frame: pl.DataFrame
    quality: Quality
    rejects: pl.DataFrame


@dataclass(frozen=True)
class Rules:
    """How a source is to be read.

    timezone: the IANA zone of naive stamps. timestamps: whether a stamp marks the bar's `open` or its `close`.
    epoch_unit: s, ms, us or ns where stamps are numbers. fixed_point: decimals of prices that are whole numbers (Databento: 9).
    on_bad_rows: `refuse` a source with a bad bar or put bad bars into `quarantine`. repair: widen a high or low that the bar's own
    open or close crosses. price_limits, tick_size: of the instrument. sessions: count gaps, stray bars and missing days against them.
    roll_sessions: of several contracts side by side the one in front is chosen by them (the shipped ones of the symbol, where none
    are given). now: the clock, for bars that are not over; None: this machine's. history: the bars are to learn from, so there are
    two or more and their prices move; False for bars to predict on.
    Raises UsageError `config/timestamps`, `config/on-bad-rows`.
    """

    symbol: str
    timezone: str | None = None
    timestamps: str = "open"
    epoch_unit: str | None = None
    fixed_point: int | None = None
    on_bad_rows: str = "refuse"
    repair: bool = False
    price_limits: tuple[float, float] = PRICE_LIMITS
    tick_size: float | None = None
    sessions: Sessions | None = None
    roll_sessions: Sessions | None = None
    now: datetime | None = None
    history: bool = True

    def __post_init__(self) -> None:
        for name, value, known in (
            ("timestamps", self.timestamps, ("open", "close")),
            ("on-bad-rows", self.on_bad_rows, ("refuse", "quarantine")),
        ):
            if value not in known:
                raise UsageError(f"config/{name}", expected=" or ".join(known), came=repr(value)[:80], do=f"correct {name}")


def read_bars(path: str | os.PathLike[str], symbol: str = "MES", timezone: str | None = None, timestamps: str = "open") -> pl.DataFrame:
    """One-minute bars of a Parquet or CSV file: datetime (UTC, the bar's open), open, high, low, close, volume.

    timezone: the IANA zone of naive stamps. timestamps: whether a stamp marks the bar's `open` or its `close`.
    Raises DataError `bars/...` for what is wrong in the file, UsageError where there is none.

        bars = read_bars("data/raw/MES_1m.csv", timezone="America/Chicago", timestamps="close")
    """
    return read_raw(path, Rules(symbol, timezone, timestamps)).frame


def read_raw(path: str | os.PathLike[str], rules: Rules, *, root: Path | None = None, allow_outside: bool = False) -> RawBars:
    """`read_bars` with its record.

    root: the folder that the file must lie in, links followed, unless allow_outside.
    Raises DataError `bars/...`; UsageError `bars/not-found`, `bars/not-a-file`, `config/...`; StorageError `storage/read`.
    """
    file = read_file(path, root=root, allow_outside=allow_outside)
    return checked(*read_columns(file), rules)


def read_columns(file: RawFile) -> tuple[pl.DataFrame, Quality]:
    """The columns that are bars, under barsmith's names and otherwise as they came, and the record that begins with them."""
    kind = content_format(file)
    quality = Quality(source=file.name, format=kind, size_bytes=len(file.data), sha256=file.sha256())
    reader = _from_parquet if kind == "parquet" else _from_csv
    return reader(file.data, quality), quality


def validate_frame(frame: pl.DataFrame, rules: Rules) -> RawBars:
    """A frame of bars that a user hands over. An unchanged result of `read_bars` comes back as it is. Raises DataError `bars/...`."""
    handed: object = frame  # a user's, whatever the annotation says
    if not isinstance(handed, pl.DataFrame):
        kind = type(handed)
        came = f"{kind.__module__}.{kind.__qualname__}"
        raise DataError(
            "bars/not-a-frame", expected="a polars.DataFrame", came=came, do="convert it, as polars.from_pandas does", where="frame"
        )
    columns = assign(frame.columns, "frame")
    if frame.is_empty():
        raise DataError("bars/no-rows", expected="bars", came="a frame without rows", do="hand over some", where="frame")
    quality = Quality()
    _note_columns(columns, quality)
    return checked(_named(frame, columns), quality, rules)


def _from_parquet(data: bytes, quality: Quality) -> pl.DataFrame:
    from barsmith.bars.parquet_reader import read_parquet

    columns, frame, has_checksums = read_parquet(data, quality.source)
    _note_columns(columns, quality)
    if not has_checksums:
        note = "the file's pages carry no checksums, so a flipped byte in it cannot be seen"
        quality.warn("bars/no-checksum", 1, note=note)
    return frame


def _from_csv(data: bytes, quality: Quality) -> pl.DataFrame:
    table = read_csv(data, quality.source)
    columns = assign(table.names, quality.source)
    _note_columns(columns, quality)
    quality.header, quality.separator, quality.line_ends = table.has_header, table.separator, table.line_ends
    frame = _named(table.frame, columns)
    quality.decimal = decimal_sign(frame, FIELDS, quality.source) if table.has_comma else "."
    return frame


def _named(frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    series = frame.get_columns()
    return pl.DataFrame([series[position].rename(name) for name, position in columns.positions.items()])


def _note_columns(columns: Columns, quality: Quality) -> None:
    quality.columns, quality.ignored = columns.mapping(), columns.ignored_names()
    if quality.ignored:
        quality.warn("bars/extra-column", len(quality.ignored), [repr(name) for name in quality.ignored], "not read")


def checked(frame: pl.DataFrame, quality: Quality, rules: Rules) -> RawBars:
    """The steps from columns as they came to bars: whose, when, numbers, good, finished, in order, once, a history."""
    where = quality.source
    quality.rows_read = frame.height
    names = contract_names(frame, rules.symbol, where, spreads=True)
    rows = _rows(frame, quality, rules)
    single = np.ones(frame.height, bool) if names is None else ~is_spread(names)
    quality.spreads = int(np.count_nonzero(~single))
    if quality.spreads:
        quality.warn("bars/calendar-spread", quality.spreads, note="bars of calendar spreads, whose prices are differences; left out")
    if rules.repair:
        rows = widen(rows, quality)
    now = minute_of(rules.now or datetime.now(UTC))
    found = np.where(single, bad_rows(rows, Bounds(*rules.price_limits, now)), 0)
    if found.any() and rules.on_bad_rows == "refuse":
        raise refusal(rows, found, where)
    put_aside(rows, found, quality)
    kept = _in_order(_finished(np.flatnonzero(single & (found == 0)), rows, now, quality), rows, quality)
    if names is not None and len(kept) and overlap(rows["time"][kept], names.gather(kept)):
        kept, rows = _front(kept, rows, names, quality, rules)
    else:
        kept = _once(kept, rows, quality)
    good = rows if len(kept) == len(found) and _is_range(kept) else {name: column[kept] for name, column in rows.items()}
    quality.rows_kept = len(kept)
    if not len(kept):
        came = f"{quality.rows_read} bars, none of them good and over"
        raise DataError("bars/no-rows", expected="bars", came=came, do="see the reasons with --on-bad-rows refuse", where=where)
    check_history(good, quality, sessions=rules.sessions, tick_size=rules.tick_size, history=rules.history, where=where)
    quality.first, quality.last = (f"{moment(int(good['time'][i])):%Y-%m-%dT%H:%MZ}" for i in (0, -1))
    out = _frame(good)
    if names is not None:
        out = out.insert_column(6, names.gather(kept))
        quality.contracts = names.gather(kept).unique(maintain_order=True).to_list()
    return RawBars(out, quality, _rejects(rows, found))


def _front(kept: np.ndarray, rows: Rows, names: pl.Series, quality: Quality, rules: Rules) -> tuple[np.ndarray, Rows]:
    """Of contracts side by side the bars of the one in front, with the ratio at each roll."""
    front = front_series(kept, rows, names, rules.roll_sessions or _shipped_sessions(rules.symbol, quality.source), quality.source)
    _note_duplicates(front.duplicates, rows, quality)
    quality.other_contracts, quality.unchosen, quality.rolls = front.others, front.unchosen, front.rolls
    quality.warn("bars/other-contract", front.others, note="bars of contracts that are not in front; left out")
    if front.unchosen:
        note = "bars of the first session: which contract is in front is known from the session before; left out"
        quality.warn("bars/first-session", front.unchosen, note=note)
    ratio = np.full(len(rows["time"]), np.nan)
    ratio[front.rows] = front.ratio
    return front.rows, {**rows, "roll_ratio": ratio}


def _shipped_sessions(symbol: str, where: str) -> Sessions:
    from barsmith.bars.sessions import load_sessions
    from barsmith.instruments import SHIPPED

    if symbol not in SHIPPED:
        came = f"contracts of {symbol}, whose sessions are not known here"
        raise UsageError(
            "bars/sessions",
            expected="the sessions by which the front contract is chosen",
            came=came,
            do="describe the contract under instruments: in config/pipeline.yaml (in Python pass roll_sessions)",
            where=where,
        )
    return load_sessions(SHIPPED[symbol].calendar)


def _rows(frame: pl.DataFrame, quality: Quality, rules: Rules) -> Rows:
    stamps = read_stamps(frame, timezone=rules.timezone, epoch_unit=rules.epoch_unit, where=quality.source)
    quality.timezone, quality.timestamps = stamps.zone, rules.timestamps
    if rules.timezone not in (None, stamps.zone):
        quality.warn(
            "bars/timezone-unused",
            len(stamps.time),
            note=f"stamps that say {stamps.zone} themselves; timezone {rules.timezone} changes none",
        )
    decimal = quality.decimal or decimal_sign(frame, FIELDS, quality.source)
    wanted = [name for name in (*FIELDS, "roll_ratio") if name in frame.columns]
    rows = {name: numbers(frame[name], decimal, quality.source) for name in wanted}
    if rules.fixed_point is not None:
        rows |= fixed_point_prices({name: rows[name] for name in FIELDS[:4]}, rules.fixed_point, quality.source)
    return {"time": stamps.time - (rules.timestamps == "close"), **rows}


def _finished(kept: np.ndarray, rows: Rows, now: int, quality: Quality) -> np.ndarray:
    """Without the bar of the minute that is not over yet."""
    forming = kept[rows["time"][kept] == now]
    quality.unfinished = len(forming)
    if not len(forming):
        return kept
    quality.warn("bars/partial-last", len(forming), bar_names(forming, rows["time"]), "still forming, left out")
    return np.setdiff1d(kept, forming)


def _in_order(kept: np.ndarray, rows: Rows, quality: Quality) -> np.ndarray:
    time = rows["time"][kept]
    backward = np.flatnonzero(np.diff(time) < 0) + 1
    if not len(backward):
        return kept
    note = "newest first; sorted" if len(backward) == len(time) - 1 else "bars earlier than the one before; sorted"
    quality.warn("bars/unsorted", len(backward), bar_names(kept[backward], rows["time"]), note)
    return kept[np.argsort(time, kind="stable")]


def _once(kept: np.ndarray, rows: Rows, quality: Quality) -> np.ndarray:
    """Of bars with one stamp the last that came."""
    time = rows["time"][kept]
    again = np.flatnonzero(np.diff(time) == 0)
    if not len(again):
        return kept
    earlier, later = kept[again], kept[again + 1]
    differ = np.logical_or.reduce([rows[name][earlier] != rows[name][later] for name in FIELDS])
    _note_duplicates(earlier, rows, quality, f"; {int(differ.sum())} differ from the next one with the same stamp")
    return np.delete(kept, again)


def _note_duplicates(earlier: np.ndarray, rows: Rows, quality: Quality, more: str = "") -> None:
    quality.duplicates = len(earlier)
    if len(earlier):
        quality.warn("bars/duplicate", len(earlier), bar_names(earlier, rows["time"]), f"the last one is kept{more}")


def _is_range(kept: np.ndarray) -> bool:
    return bool((kept == np.arange(len(kept))).all())


def _frame(rows: Rows) -> pl.DataFrame:
    columns: dict[str, Any] = {"datetime": as_datetime(rows["time"]), **{name: rows[name] for name in FIELDS}}
    if "roll_ratio" in rows:
        columns["roll_ratio"] = pl.Series(rows["roll_ratio"]).fill_nan(None)
    return pl.DataFrame(columns)


def _rejects(rows: Rows, found: np.ndarray) -> pl.DataFrame:
    bad = np.flatnonzero(found)
    reasons = [ROW_CHECKS[number - 1].code for number in found[bad]]
    aside = _frame({name: column[bad] for name, column in rows.items() if name != "roll_ratio"})
    return aside.insert_column(0, pl.Series("row", bad + 1, pl.Int64)).with_columns(pl.Series("reason", reasons, pl.String))
