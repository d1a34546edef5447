"""Files of single trades, read once and checked at the door by the parts that read bars: the only way into barsmith for a trade.

A stamp is a whole minute, which `timestamps.py` reads in every form that bars have, and the microseconds past it.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from barsmith.bars.columns import ALIASES, assign
from barsmith.bars.contracts import contract_names, refuse_overlap
from barsmith.bars.csv_reader import read_csv
from barsmith.bars.minutes import US_PER_MINUTE
from barsmith.bars.number_columns import decimal_sign, numbers
from barsmith.bars.parquet_reader import read_parquet
from barsmith.bars.quality import NAMED, Quality, others
from barsmith.bars.raw_file import content_format, read_file
from barsmith.bars.reading import PRICE_LIMITS
from barsmith.bars.row_checks import LARGEST_VOLUME
from barsmith.bars.timestamps import JOINED, NUMERIC, PER_MINUTE, UNITS, read_stamps
from barsmith.errors import DataError, UsageError

TRADE_ALIASES = {
    **{name: ALIASES[name] for name in ("datetime", "symbol", "contract")},
    "price": ("price", "p", "px", "last", "trade_price", "last_price"),
    "size": ("size", "s", "sz", "volume", "vol", "v", "qty", "quantity", "trade_size", "last_size"),
    "side": ("side", "aggressor", "aggressor_side", "taker_side"),
}
SIDES = {**dict.fromkeys(("b", "buy", "buyer", "1", "+1"), 1), **dict.fromkeys(("a", "s", "sell", "seller", "-1"), -1)}
"""Who took the other's price. `a` is Databento's, where an aggressor's side is the book's: A for ask, a seller."""
NO_SIDE = ("", "n", "none", "null", "0")
PAST_MINUTE = (
    re.compile(r"^(.*?\d{1,2}:\d{2}):([0-5]\d)(?:[.,](\d{1,9}))?(\D.*)?$"),  # 2025-06-12T09:30:01.123456789Z
    re.compile(r"^((?:\d{8}[T ]?)?\d{4})([0-5]\d)(?:[.,](\d{1,9}))?(\D.*)?$"),  # 20250612 093001
)


@dataclass(frozen=True)
class RawTrades:
    """Trades as they may be used, the record of how they were read, and the trades that were put aside.

    frame: datetime (UTC, microseconds), price, size Float64, and where the source has them side Int8 (1 where a buyer took the offer, -1 a
    seller the bid, else null) and contract String; in the order of time, trades of one stamp in the order of the source.
    rejects: row (from 1, in the order of the source), datetime, price, size, reason.
    """

    frame: pl.DataFrame
    quality: Quality
    rejects: pl.DataFrame


def read_trades(
    path: str | os.PathLike[str],
    *,
    symbol: str,
    timezone: str | None = None,
    epoch_unit: str | None = None,
    on_bad_rows: str = "refuse",
    price_limits: tuple[float, float] = PRICE_LIMITS,
    root: Path | None = None,
    allow_outside: bool = False,
    now: datetime | None = None,
) -> RawTrades:
    """Trades of a Parquet or CSV file with the columns datetime, price, size or known aliases of them; the keywords are those of `read_raw`.

    Stamps of nanoseconds are cut to microseconds, which never moves a trade into another minute.
    Raises DataError `trades/...`, with the names that bars have after `bars/`; UsageError `trades/not-found`, `config/...`.

        trades = read_trades("MES_trades.csv", symbol="MES", timezone="America/Chicago").frame
    """
    if on_bad_rows not in ("refuse", "quarantine"):
        raise UsageError("config/on-bad-rows", expected="refuse or quarantine", came=repr(on_bad_rows)[:80], do="correct on_bad_rows")
    with _said_of_trades():
        file = read_file(path, root=root, allow_outside=allow_outside)
        quality = Quality(source=file.name, format=content_format(file), size_bytes=len(file.data), sha256=file.sha256())
        frame = _columns(file.data, quality)
        names = contract_names(frame, symbol, file.name)
        time, quality.timezone = read_moments(frame, timezone=timezone, epoch_unit=epoch_unit, where=file.name)
        if names is not None:
            refuse_overlap(time // US_PER_MINUTE, names, file.name)
        rows = {"time": time, **{name: numbers(frame[name], quality.decimal, file.name) for name in ("price", "size")}}
    side = _sides(frame["side"], file.name) if "side" in frame.columns else None
    found = _bad_rows(rows, price_limits, int((now or datetime.now(UTC)).timestamp() * 1e6))
    return _checked(rows, found, side, names, quality, on_bad_rows)


@contextmanager
def _said_of_trades() -> Iterator[None]:
    """What the readers of bars refuse, in the words of trades."""
    try:
        yield
    except (DataError, UsageError) as error:
        code = error.code.replace("bars/", "trades/", 1)
        expected, came, do = (
            re.sub(r"\bbar(s?)\b", r"trade\1", text.replace("one-minute bars", "bars")) for text in (error.expected, error.came, error.do)
        )
        raise type(error)(code, expected=expected, came=came, do=do, where=error.where) from error


def _columns(data: bytes, quality: Quality) -> pl.DataFrame:
    """The columns that are read, under barsmith's names and in their own types."""
    choose = functools.partial(assign, aliases=TRADE_ALIASES, required=("price", "size"))
    if quality.format == "parquet":
        columns, frame, has_checksums = read_parquet(data, quality.source, choose)
        quality.decimal = "."
        if not has_checksums:
            quality.warn("trades/no-checksum", 1, note="the file's pages carry no checksums, so a flipped byte in it cannot be seen")
    else:
        table = read_csv(data, quality.source)
        if not table.has_header:
            came, do = "none", "add a line that names the columns: datetime,price,size"
            raise DataError("bars/missing-column", expected="a header", came=came, do=do, where=quality.source)
        columns = choose(table.names, quality.source)
        frame = pl.DataFrame([table.frame.to_series(at).rename(name) for name, at in columns.positions.items()])
        quality.decimal = decimal_sign(frame, ("price", "size"), quality.source) if table.has_comma else "."
        quality.header, quality.separator, quality.line_ends = True, table.separator, table.line_ends
    quality.rows_read, quality.columns, quality.ignored = frame.height, columns.mapping(), columns.ignored_names()
    if quality.ignored:
        quality.warn("trades/extra-column", len(quality.ignored), [repr(name) for name in quality.ignored], "not read")
    return frame


def read_moments(frame: pl.DataFrame, *, timezone: str | None, epoch_unit: str | None, where: str) -> tuple[np.ndarray, str]:
    """(n,) int64 microseconds since 1970 UTC of `datetime`, or of `date` and `time` together, and the zone they came from."""
    stamp = "datetime" if "datetime" in frame.columns else "time"
    minute, past = split_stamps(frame[stamp], epoch_unit)
    stamps = read_stamps(frame.with_columns(minute.alias(stamp)), timezone=timezone, epoch_unit=epoch_unit, where=where)
    return stamps.time * US_PER_MINUTE + past, stamps.zone


def split_stamps(column: pl.Series, epoch_unit: str | None) -> tuple[pl.Series, np.ndarray]:
    """Stamps cut to their minute, in the same form, and (n,) microseconds past it. What is no stamp stays as it is, for the reader to refuse."""
    kind = column.dtype
    if isinstance(kind, pl.Categorical | pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    if isinstance(kind, pl.Datetime):
        minute, past = _counts(column.to_physical(), PER_MINUTE[kind.time_unit])
        return minute.cast(kind), past
    if kind == pl.Time:
        minute, past = _counts(column.to_physical(), PER_MINUTE["ns"])
        return minute.cast(pl.Time), past
    if kind == pl.String:
        first = (column.drop_nulls().head(1).to_list() or [""])[0].strip()
        if epoch_unit in UNITS and NUMERIC.fullmatch(first) and not JOINED.fullmatch(first):
            exact = column.str.strip_chars().cast(pl.Int64, strict=False)
            return _counts(exact if "." not in first else column.cast(pl.Float64, strict=False), 60 * UNITS[epoch_unit])
        return _texts(column)
    if column.name == "time" and kind.is_integer():  # 93001 is one second past half past nine
        return _texts(column.cast(pl.String).str.zfill(6)) if int(column.max() or 0) >= 2400 else (column, np.zeros(len(column), np.int64))  # type: ignore[arg-type]
    if kind.is_numeric() and epoch_unit in UNITS:
        return _counts(column, 60 * UNITS[epoch_unit])
    return column, np.zeros(len(column), np.int64)


def _counts(column: pl.Series, per_minute: int) -> tuple[pl.Series, np.ndarray]:
    """Counts of a unit cut to the minute. A float holds a second of our time to about a quarter of a microsecond, so that is rounded."""
    minute = column // per_minute * per_minute
    past = (column - minute).fill_null(0)
    if not column.dtype.is_float():
        return minute, (
            past.cast(pl.Int64) * US_PER_MINUTE // per_minute if per_minute <= US_PER_MINUTE else past // (per_minute // US_PER_MINUTE)
        ).to_numpy()
    micros = np.rint(past.fill_nan(0.0).to_numpy() * (US_PER_MINUTE / per_minute))
    return minute, np.minimum(micros, US_PER_MINUTE - 1).astype(np.int64)


def _texts(column: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """`2025-06-12 09:30:01.25Z` is `2025-06-12 09:30Z` and 1,250,000 microseconds."""
    column = column.str.strip_chars()
    first = (column.drop_nulls().head(1).to_list() or [""])[0]
    pattern = PAST_MINUTE[":" not in first].pattern
    groups = column.to_frame("text").select(pl.col("text").str.extract_groups(pattern)).to_series().struct.unnest()
    minute, second, fraction, rest = (groups.to_series(i) for i in range(4))
    found = second.is_not_null()
    micros = fraction.fill_null("").str.pad_end(9, "0").str.slice(0, 6).cast(pl.Int64)
    past = (second.cast(pl.Int64).fill_null(0) * 1_000_000 + micros * found.cast(pl.Int64)).to_numpy()
    return (minute + rest.fill_null("")).zip_with(found, column).alias(column.name), past


def _sides(column: pl.Series, where: str) -> pl.Series:
    """1, -1 or null. Raises DataError `trades/side`."""
    text = column.cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase()
    strange = ~text.is_in([*SIDES, *NO_SIDE])
    if strange.any():
        rows = strange.arg_true().to_numpy()
        raise DataError(
            "trades/side",
            expected="the aggressor's side as buy or sell, B or S, 1 or -1, or nothing",
            came=f"trade {rows[0] + 1} with {str(column[int(rows[0])])[:40]!r}{_others(rows)}",
            do="export who took the other's price; at bid or at ask does not say whose side is meant",
            where=where,
        )
    return text.replace_strict(SIDES, default=None, return_dtype=pl.Int8).alias("side")


CHECKS = (
    ("trades/future", "trades that have happened", "a time that this machine's clock has not reached"),
    ("trades/bad-price", "a finite price above zero and within the instrument's limits", "a price of"),
    ("trades/bad-size", f"a size above zero and up to {LARGEST_VOLUME:g}", "a size of"),
)
"""In this order: a bad trade is counted under the first that finds it. What is expected, and how it is said of one."""


def _bad_rows(rows: dict[str, np.ndarray], limits: tuple[float, float], now: int) -> np.ndarray:
    """(n,) the number of the first check that finds the trade, counted from 1; 0 for good trades. NaN fails every comparison."""
    time, price, size = rows["time"], rows["price"], rows["size"]
    is_bad = (time > now, ~((price > 0) & (price >= limits[0]) & (price <= limits[1])), ~((size > 0) & (size <= LARGEST_VOLUME)))
    return np.select(is_bad, (1, 2, 3), 0)


def _checked(
    rows: dict[str, np.ndarray], found: np.ndarray, side: pl.Series | None, names: pl.Series | None, quality: Quality, on_bad_rows: str
) -> RawTrades:
    """Bad trades refused or put aside, the others in the order of time."""
    frame = pl.DataFrame({"datetime": pl.Series(rows["time"]).cast(pl.Datetime("us", "UTC")), "price": rows["price"], "size": rows["size"]})
    bad = np.flatnonzero(found)
    if len(bad) and on_bad_rows == "refuse":
        raise _refusal(frame, found, quality.source)
    for number in np.unique(found[bad]):
        aside = np.flatnonzero(found == number)
        quality.warn(CHECKS[number - 1][0], len(aside), [f"trade {row + 1}" for row in aside[:NAMED]], "put aside")
    rejects = frame[bad].insert_column(0, pl.Series("row", bad + 1, pl.Int64))
    rejects = rejects.with_columns(pl.Series("reason", [CHECKS[n - 1][0] for n in found[bad]], pl.String))
    frame = frame.with_columns([column for column in (side, None if names is None else names.alias("contract")) if column is not None])
    good = frame.filter(found == 0)
    if good.is_empty():
        came = f"{quality.rows_read} of them, none good"
        raise DataError("trades/no-rows", expected="trades", came=came, do="see why with on_bad_rows=refuse", where=quality.source)
    backward = int((np.diff(good["datetime"].to_physical().to_numpy()) < 0).sum())
    if backward:
        quality.warn("trades/unsorted", backward, note="trades earlier than the one before; sorted")
        good = good.sort("datetime", maintain_order=True)
    quality.quarantined, quality.rows_kept = len(bad), len(good)
    quality.first, quality.last = (f"{good['datetime'][at]:%Y-%m-%dT%H:%M:%S.%fZ}" for at in (0, -1))
    return RawTrades(good, quality, rejects)


def _refusal(frame: pl.DataFrame, found: np.ndarray, where: str) -> DataError:
    number = int(found[found > 0].min())
    code, expected, says = CHECKS[number - 1]
    rows = np.flatnonzero(found == number)
    row = int(rows[0])
    value = "" if number == 1 else f" {frame['price' if number == 2 else 'size'][row]!r}"
    came = f"trade {row + 1} ({frame['datetime'][row]:%Y-%m-%d %H:%M:%S.%f} UTC) with {says}{value}{_others(rows)}"
    return DataError(
        code, expected=expected, came=came, do='correct the source, or pass on_bad_rows="quarantine" to put such trades aside', where=where
    )


def _others(rows: np.ndarray) -> str:
    return others(rows).replace("such bars", "such trades")
