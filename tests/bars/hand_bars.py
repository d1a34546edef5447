"""Small bars that can be checked by hand, and their texts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

START = datetime(2025, 6, 12, 14, 0, tzinfo=UTC)
HEADER = ("datetime", "open", "high", "low", "close", "volume")
ISO = "%Y-%m-%dT%H:%M:%SZ"


def minute_bars(n: int = 40, start: datetime = START, step: int = 1) -> pl.DataFrame:
    """Bar i opens at 6000 + i/4, closes a quarter higher, reaches half a point beyond its open, and trades 10 + i."""
    time = [start.timestamp() + 60 * step * i for i in range(n)]
    opened = pl.Series([6000 + i / 4 for i in range(n)], dtype=pl.Float64)
    return pl.DataFrame(
        {
            "datetime": pl.Series([int(t * 1_000_000) for t in time], dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
            "open": opened,
            "high": opened + 0.5,
            "low": opened - 0.5,
            "close": opened + 0.25,
            "volume": pl.Series([10.0 + i for i in range(n)], dtype=pl.Float64),
        }
    )


def cells(frame: pl.DataFrame, stamp: str = ISO) -> list[list[str]]:
    """The bars as texts, one list a bar."""
    texts = frame.with_columns(pl.col("datetime").dt.strftime(stamp))
    return [[row[0], *(f"{value:g}" for value in row[1:])] for row in texts.rows()]


def csv_text(rows: list[list[str]], separator: str = ",", header: tuple[str, ...] | None = HEADER, line_end: str = "\n") -> str:
    lines = ([list(header)] if header else []) + rows
    return "".join(separator.join(line) + line_end for line in lines)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def with_cell(row: int, column: str, text: str, n: int = 40) -> str:
    """The text of n bars of which one field says something else."""
    rows = cells(minute_bars(n))
    rows[row][HEADER.index(column)] = text
    return csv_text(rows)
