"""Which column of a source is which: the alias table of other vendors' headers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barsmith.bars.minutes import FIELDS
from barsmith.errors import DataError

ALIASES: dict[str, tuple[str, ...]] = {
    "datetime": ("datetime", "timestamp", "ts_event", "date_time", "datetime_utc", "open_time", "bar_time", "gmt_time", "ts"),
    "open": ("open", "o", "open_price", "px_open"),
    "high": ("high", "h", "high_price", "px_high"),
    "low": ("low", "l", "low_price", "px_low"),
    "close": ("close", "c", "last", "close_price", "last_price", "close_last", "px_last"),
    "volume": ("volume", "v", "vol", "total_volume", "volume_traded", "px_volume"),
    "symbol": ("symbol", "ticker", "instrument", "root", "sym"),
    "contract": ("contract", "raw_symbol", "contract_symbol"),
    "roll_ratio": ("roll_ratio",),
}
"""What barsmith reads, and the headers it is known by, the likeliest first; of two aliases in one file the first counts.

Headers are compared in lower case, without angle brackets, spaces, dots, slashes and dashes being `_`: `<Close/Last>` is
`close_last`. Where no column is a `datetime`: `date` and `time` together (NinjaTrader, TradeStation, MetaTrader), else
`date` alone, else `time` alone (TradingView), else the unnamed index that pandas writes.
"""

INDEX_NAMES = ("index", "__index_level_0__", "")
REQUIRED = FIELDS
WITHOUT_HEADER = ("datetime", *FIELDS)
WITHOUT_HEADER_SPLIT = ("date", "time", *FIELDS)


@dataclass(frozen=True)
class Columns:
    """What is read -> its position in the source; the names by position; the positions that are not read."""

    positions: dict[str, int]
    names: tuple[str, ...]
    ignored: tuple[int, ...]

    def mapping(self) -> dict[str, str]:
        return {column: self.names[position] for column, position in self.positions.items()}

    def ignored_names(self) -> list[str]:
        return [self.names[position] for position in self.ignored]


def plain(name: str) -> str:
    """A header as the alias table spells it."""
    return re.sub(r"[\s./\\_-]+", "_", name.strip(" \t\ufeff\"'<>").lower()).strip("_") if name != "__index_level_0__" else name


def is_known(name: str) -> bool:
    """Whether a text is a header that barsmith reads."""
    text = plain(name)
    return text in ("date", "time") or any(text in aliases for aliases in ALIASES.values())


def assign(
    names: Sequence[str], where: str, aliases: Mapping[str, tuple[str, ...]] = ALIASES, required: tuple[str, ...] = REQUIRED
) -> Columns:
    """The column of each thing that is read.

    aliases: the headers by which each is known. required: what must be there besides the stamps.
    Raises DataError `bars/duplicate-column`, `bars/no-timestamp`, `bars/missing-column`.
    """
    texts = [plain(name) for name in names]
    _refuse_duplicates(texts, names, where)
    place = {text: position for position, text in reversed(list(enumerate(texts)))}
    positions = _stamps(place)
    for column, known in aliases.items():
        found = next((place[alias] for alias in known if alias in place), None)
        if found is not None and column != "datetime":
            positions[column] = found
    missing = [column for column in required if column not in positions]
    has_stamp = "datetime" in positions or "date" in positions
    if missing or not has_stamp:
        present = ", ".join(repr(name) for name in names[:20]) + (", ..." if len(names) > 20 else "")
        raise DataError(
            "bars/missing-column" if has_stamp else "bars/no-timestamp",
            expected=f"columns datetime, {', '.join(required)} or known aliases of them",
            came=f"{present}, without {', '.join(missing if has_stamp else ['datetime', *missing])}",
            do="name the columns so",
            where=where,
        )
    used = set(positions.values())
    return Columns(positions, tuple(names), tuple(p for p in range(len(names)) if p not in used))


def _stamps(place: dict[str, int]) -> dict[str, int]:
    for alias in ALIASES["datetime"]:
        if alias in place:
            return {"datetime": place[alias]}
    if "date" in place and "time" in place:
        return {"date": place["date"], "time": place["time"]}
    for alias in ("date", "time", *INDEX_NAMES):
        if alias in place:
            return {"datetime": place[alias]}
    return {}


def _refuse_duplicates(texts: Sequence[str], names: Sequence[str], where: str) -> None:
    seen: dict[str, int] = {}
    for position, text in enumerate(texts):
        if text and text in seen:
            first = seen[text]
            raise DataError(
                "bars/duplicate-column",
                expected="each column once",
                came=f"{names[first]!r} as column {first + 1} and {names[position]!r} as column {position + 1}",
                do="remove or rename one",
                where=where,
            )
        seen[text] = position
