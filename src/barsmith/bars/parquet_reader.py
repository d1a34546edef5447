"""Parquet through PyArrow with page checksums verified, as columns of plain types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from barsmith.bars.columns import Columns, assign
from barsmith.errors import DataError

MAX_ROWS = 100_000_000
MAGIC = b"PAR1"
I32 = 5
CRC_FIELD = 4
BROKEN = (
    pa.ArrowException,
    OSError,
    ValueError,
    pl.exceptions.PanicException,
    KeyError,
    TypeError,
    IndexError,
    OverflowError,
    MemoryError,
    NotImplementedError,
)


def read_parquet(data: bytes, where: str, choose: Callable[[list[str], str], Columns] = assign) -> tuple[Columns, pl.DataFrame, bool]:
    """The columns that are read, in their own types under barsmith's names, and whether its pages have checksums.

    choose: which columns these are. Raises DataError `bars/checksum`, `bars/corrupt-file`, `bars/too-large`, `bars/no-rows`, and what it raises.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        names, meta = file.schema_arrow.names, file.metadata
        rows = meta.num_rows
    except BROKEN as error:
        raise _broken(error, where) from error
    columns = choose(names, where)
    if rows == 0:
        raise DataError("bars/no-rows", expected="bars", came="a Parquet file without rows", do="check the export", where=where)
    if rows > MAX_ROWS:
        came = f"{rows:,} rows"
        raise DataError("bars/too-large", expected=f"at most {MAX_ROWS:,} rows", came=came, do="cut the file into years", where=where)
    wanted = columns.mapping()
    try:
        table = file.read(columns=list(wanted.values()))
        series = [_series(table.column(name), column, where) for column, name in wanted.items()]
    except BROKEN as error:
        raise _broken(error, where) from error
    if len(table) != rows:
        came = f"{len(table)} rows where the footer says {rows}"
        raise DataError("bars/corrupt-file", expected="a whole Parquet file", came=came, do="copy or download it again", where=where)
    return columns, pl.DataFrame(series), has_checksum(data)


def _series(column: pa.ChunkedArray, name: str, where: str) -> pl.Series:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_timestamp(kind):
        return _moments(column, kind).alias(name)
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column.validate(full=True)  # Polars takes UTF-8 on trust
    elif not (pa.types.is_primitive(kind) or pa.types.is_null(kind)) or pa.types.is_duration(kind) or pa.types.is_interval(kind):
        code = "bars/bad-timestamp" if name in ("datetime", "date", "time") else "bars/not-a-number"
        code = "bars/symbol" if name in ("symbol", "contract") else code
        expected = f"a plain column {name}"
        raise DataError(code, expected=expected, came=f"one of type {str(kind)[:80]}", do="export plain columns", where=where)
    series = pl.from_arrow(column)
    assert isinstance(series, pl.Series)
    return series.alias(name).rechunk()


def _moments(column: pa.ChunkedArray, kind: Any) -> pl.Series:
    """Polars' own Datetime: a zone's name in the file may be anything, and the ticks of a zoned column are UTC."""
    unit: Any = "ms" if kind.unit == "s" else kind.unit
    column = column.cast(pa.timestamp(unit, kind.tz)) if unit != kind.unit else column
    ticks = pl.from_arrow(column.cast(pa.int64()))
    assert isinstance(ticks, pl.Series)
    return ticks.rechunk().cast(pl.Datetime(unit, None if kind.tz is None else "UTC"))


def _broken(error: BaseException, where: str) -> DataError:
    text = (str(error).splitlines() or [type(error).__name__])[0][:160]
    checksum = "crc" in text.lower() or "checksum" in text.lower()
    return DataError(
        "bars/checksum" if checksum else "bars/corrupt-file",
        expected="a whole Parquet file whose pages match their checksums" if checksum else "a whole Parquet file",
        came=f"one that PyArrow refuses ({text})",
        do="copy or download it again",
        where=where,
    )


def has_checksum(data: bytes) -> bool:
    """Whether the file's first page carries a CRC, which tells how its writer made all of them.

    PyArrow verifies a CRC where there is one and does not say where there is none; asking it for a damaged file's column
    chunks can end the process. A page header is a Thrift compact struct: type, uncompressed size, compressed size, then
    the optional CRC, all of them i32.
    """
    at, field = len(MAGIC), 0
    while at < len(data):
        step, kind = data[at] >> 4, data[at] & 15
        field += step
        if step == 0 or kind != I32 or field >= CRC_FIELD:
            return field == CRC_FIELD and step > 0 and kind == I32
        at += 1
        while at < len(data) and data[at] & 0x80:
            at += 1
        at += 1
    return False
