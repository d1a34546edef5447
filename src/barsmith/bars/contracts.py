"""Whose bars these are: the symbol column against the symbol asked for, and the contracts in the order of time."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import polars as pl

from barsmith.bars.minutes import moment
from barsmith.bars.quality import NAMED, bar_name, others
from barsmith.errors import DataError

MONTHS = "FGHJKMNQUVXZ"
SPREAD = "spread"
EXCHANGE_NAME = re.compile(
    rf"(?P<root>[A-Z0-9]*[A-Z])(?:(?P<month>[{MONTHS}])(?P<year>\d{{4}}|\d{{1,2}})| (?P<mm>\d\d)-(?P<yy>\d\d))", re.ASCII
)
DIGITS = re.compile(r"(?P<year>20\d\d)(?P<month>\d\d)(?:\d\d)?", re.ASCII)


def contract_names(frame: pl.DataFrame, symbol: str, where: str, *, spreads: bool = False) -> pl.Series | None:
    """The contract of each bar, or None where the source does not name any.

    spreads: whether bars of calendar spreads may be among them (`is_spread` tells them).

    A column that says the root (`MES`, or a vendor's continuous `MES=F`, `MES1!`, `MES.v.0`) says nothing more; exchange names
    (`MESU5`, `MESU2025`, `MES 09-25`) are contracts; a column `contract` may also hold expiries (`202509`).
    Raises DataError `bars/symbol` for another root or none, `bars/several-contracts` for calendar spreads.
    """
    named = None
    for column in ("symbol", "contract"):
        if column in frame.columns and (named is None or column == "contract"):
            named = _checked(frame[column], symbol.strip().upper(), column, where, spreads=spreads)
    return named


def is_spread(names: pl.Series) -> np.ndarray:
    """(n,) bool: bars of a calendar spread, whose price is a difference."""
    kinds = {name: "-" in EXCHANGE_NAME.sub("", name.strip().upper()) or ":" in name for name in names.unique()}
    return names.replace_strict(kinds, return_dtype=pl.Boolean).to_numpy()


def expiry(name: str, seen: date) -> tuple[int, int] | None:
    """Year and month that a contract's name says, None where it says none.

    seen: a day on which it traded. A year of one or two digits is the first from the year before that day on.
    """
    text = name.strip().upper()
    if found := DIGITS.fullmatch(text):
        return int(found["year"]), int(found["month"])
    if not (found := EXCHANGE_NAME.fullmatch(text)):
        return None
    month = MONTHS.index(found["month"]) + 1 if found["month"] else int(found["mm"])
    year = found["year"] or found["yy"]
    if len(year) == 4:
        return int(year), month
    span, first = 10 ** len(year), seen.year - 1
    return first + (int(year) - first) % span, month


def _checked(column: pl.Series, root: str, what: str, where: str, *, spreads: bool) -> pl.Series | None:
    if column.dtype != pl.String:
        column = column.cast(pl.String, strict=False)
    column = column.alias("contract")
    kinds = {name: _kind(name, root, what) for name in column.unique(maintain_order=True)}
    for name, kind in kinds.items():
        if not kind:
            rows = column.is_null().arg_true() if name is None else (column == name).arg_true()
            raise DataError(
                "bars/symbol",
                expected=f"bars of {root} or of its contracts, as {root}U5",
                came=f"{bar_name(int(rows[0]))} of {name!r}{others(rows.to_numpy())}",
                do="choose the other symbol, or a file of one market",
                where=where,
            )
    found = sorted(name for name, kind in kinds.items() if kind == SPREAD)
    if found and (not spreads or len(found) == len(kinds)):
        raise several(f"{len(kinds)} instruments with calendar spreads such as {found[0]}", where)
    if len(set(kinds.values()) - {SPREAD}) > 1 or (found and "root" in kinds.values()):
        names = ", ".join(sorted(kinds)[:NAMED])
        raise DataError(
            "bars/symbol",
            expected=f"{root} on every bar, or a contract on every bar",
            came=names,
            do="name each bar's contract",
            where=where,
        )
    if "contract" not in kinds.values():
        return None
    plain = {name: name.strip() for name in kinds if name != name.strip()}
    return column.replace(plain) if plain else column


def contract_of(name: str, symbol: str) -> str | None:
    """The contract that one name says, None where it says only the root. Raises DataError `bars/symbol` for another market's."""
    kind = _kind(name, symbol, "contract")
    if kind == "root":
        return None
    if kind == "contract":
        return name.strip()
    raise DataError(
        "bars/symbol",
        expected=f"a contract of {symbol}, as {symbol}U5",
        came=ascii(name)[:60],
        do="choose the other symbol, or leave the field out",
    )


def _kind(name: str | None, root: str, what: str) -> str:
    text, stem = (name or "").strip().upper(), re.escape(root)
    outright = rf"{stem}(?:[{MONTHS}](?:\d{{1,2}}|\d{{4}})| \d\d-\d\d)"
    if re.fullmatch(rf"[@/]?{stem}(?:=F|\d?!|[.][CNV][.]\d+|#)?", text):
        return "root"
    if re.fullmatch(outright, text) or (what == "contract" and re.fullmatch(r"\d{1,8}", text)):
        return "contract"
    return SPREAD if re.fullmatch(rf"{outright}(?:-{outright})+|{stem}:.*", text) else ""


def overlap(time: np.ndarray, names: pl.Series) -> str:
    """Which contracts stand side by side, in words; empty where each one's bars end before the next one's begin."""
    different = names.unique(maintain_order=True)
    if len(different) < 2:
        return ""
    codes = names.cast(pl.Enum(different)).to_physical().to_numpy()
    order = np.argsort(time, kind="stable")
    codes, time = codes[order], time[order]
    changed = np.flatnonzero(np.diff(codes))
    same_minute = changed[time[changed] == time[changed + 1]]
    if not len(same_minute) and len(changed) < len(different):
        return ""
    at = int((same_minute if len(same_minute) else changed)[0])
    pair = f"{different[int(codes[at])]} and {different[int(codes[at + 1])]} around {moment(int(time[at])):%Y-%m-%d %H:%M} UTC"
    return f"{len(different)} contracts side by side, {pair}"


def refuse_overlap(time: np.ndarray, names: pl.Series, where: str) -> None:
    """Raises DataError `bars/several-contracts` unless each contract's bars end before the next one's begin."""
    if came := overlap(time, names):
        raise several(came, where)


def several(
    came: str,
    where: str,
    do: str = "keep the front contract's alone: at each session's open that of the largest volume in the session before",
) -> DataError:
    expected = "one contract after the other, or several side by side of which one is in front"
    return DataError("bars/several-contracts", expected=expected, came=came, do=do, where=where)
