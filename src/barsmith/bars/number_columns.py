"""Columns of numbers as float64: what is not a number is refused, what is missing becomes NaN and is judged with its bar."""

from __future__ import annotations

import numpy as np
import polars as pl

from barsmith.bars.quality import bar_name
from barsmith.errors import DataError

MISSING = ("", "-", "--", "nan", "null", "none", "nil", "na", "n/a", "#n/a")
THREE_DIGITS = r"^\s*[-+]?\d{1,3}(?:,\d{3})+\s*$"


def decimal_sign(frame: pl.DataFrame, columns: tuple[str, ...], where: str) -> str:
    """`.` or `,`: a comma where texts have commas and no points, and at least one cannot be a thousands separator.

    Raises DataError `bars/separator` where 4,500 may be 4.5 or 4500.
    """
    texts = [frame[column] for column in columns if column in frame.columns and frame[column].dtype == pl.String]
    with_comma = [text for text in texts if _any(text.str.contains(",", literal=True))]
    if not with_comma or any(_any(text.str.contains(".", literal=True)) for text in texts):
        return "."
    for text in with_comma:
        if _any(text.str.contains(",", literal=True) & ~text.str.contains(THREE_DIGITS)):
            return ","
    text = with_comma[0]
    row = int(text.str.contains(",", literal=True).fill_null(False).arg_max() or 0)
    raise DataError(
        "bars/separator",
        expected="a decimal sign that can be told from a thousands separator",
        came=f"{bar_name(row)} with {text.name} {text[row]!r}, and no number that decides",
        do="export with a decimal point and without thousands separators",
        where=where,
    )


def numbers(column: pl.Series, decimal: str, where: str) -> np.ndarray:
    """(n,) float64, NaN where nothing stands or a word for nothing.

    Raises DataError `bars/not-a-number`.
    """
    kind = column.dtype
    if kind == pl.Null:
        return np.full(len(column), np.nan)
    if isinstance(kind, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    elif kind != pl.String:
        if not kind.is_numeric():
            raise _refused(column, f"a column of {kind}", where)
        return np.ascontiguousarray(column.cast(pl.Float64).fill_null(np.nan).to_numpy())
    if decimal == ",":
        column = column.str.replace(",", ".", literal=True)
    values = column.cast(pl.Float64, strict=False)
    if values.null_count() > column.null_count():
        values = _read_again(column, values, where)
    return np.ascontiguousarray(values.fill_null(np.nan).to_numpy())


def fixed_point_prices(prices: dict[str, np.ndarray], decimals: int, where: str) -> dict[str, np.ndarray]:
    """Prices of whole numbers that count units of the last of so many decimals: 4084200000000 with 9 is 4084.2.

    Raises DataError `bars/fixed-point` where a price is no whole number.
    """
    for name, column in prices.items():
        fractions = np.flatnonzero(np.isfinite(column) & (column != np.floor(column)))
        if len(fractions):
            raise DataError(
                "bars/fixed-point",
                expected=f"whole numbers that count the {decimals}th decimal, as fixed_point: {decimals} says",
                came=f"{bar_name(int(fractions[0]))} with {name} {column[fractions[0]]!r}",
                do="leave ingest.fixed_point out: these prices have a decimal point",
                where=where,
            )
    return {name: column / 10.0**decimals for name, column in prices.items()}


def _read_again(column: pl.Series, values: pl.Series, where: str) -> pl.Series:
    """The texts that are no plain numbers: white space around one is forgiven, a word for nothing is missing."""
    rows = (values.is_null() & column.is_not_null()).arg_true()
    texts = column.gather(rows).str.strip_chars()
    again = texts.cast(pl.Float64, strict=False)
    unread = again.is_null() & ~texts.str.to_lowercase().is_in(MISSING)
    if unread.any():
        row = int(rows[int(unread.arg_max() or 0)])
        more = f" ({unread.sum()} such fields)" if unread.sum() > 1 else ""
        raise _refused(column, f"{bar_name(row)} with {column.name} {str(column[row])[:60]!r}{more}", where)
    return values.scatter(rows, again)


def _refused(column: pl.Series, came: str, where: str) -> DataError:
    return DataError(
        "bars/not-a-number",
        expected=f"plain numbers in column {column.name}, without currency, per cent or thousands signs",
        came=came,
        do="export plain numbers",
        where=where,
    )


def _any(mask: pl.Series) -> bool:
    return bool(mask.any())
