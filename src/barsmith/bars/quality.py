"""What reading a source of bars found: rows kept and left out, columns, dialect and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from barsmith.bars.minutes import moment

NAMED = 20
"""So many bars are named in a message or warning; the rest is counted."""


@dataclass(frozen=True)
class Warned:
    """Something that was noticed and let through. `first` names the first twenty, `note` says what was done about it."""

    code: str
    count: int
    first: tuple[str, ...] = ()
    note: str = ""


@dataclass
class Quality:
    """The record of one reading; `as_dict` is what a run's manifest keeps.

    rows_read = rows_kept + duplicates + quarantined + unfinished + spreads + other_contracts + unchosen: no row is lost in silence.
    spreads, other_contracts, unchosen: of a file of several contracts side by side, see `front.py`. rolls: of such a file, each with
    time, from, to, and the closes of both contracts at their last common minute before (None where they have none).
    columns: what was read -> the source's own name for it. ignored: columns that were not read.
    stale: stretches of a frozen feed, as opens of their first and last bar.
    """

    source: str = "frame"
    format: str = "frame"
    size_bytes: int = 0
    sha256: str = ""
    rows_read: int = 0
    rows_kept: int = 0
    duplicates: int = 0
    quarantined: int = 0
    unfinished: int = 0
    spreads: int = 0
    other_contracts: int = 0
    unchosen: int = 0
    repaired: int = 0
    first: str = ""
    last: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    header: bool | None = None
    separator: str = ""
    decimal: str = ""
    line_ends: str = ""
    timestamps: str = "open"
    timezone: str = ""
    contracts: list[str] = field(default_factory=list)
    rolls: list[dict[str, Any]] = field(default_factory=list)
    stale: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)

    def warn(self, code: str, count: int, first: Sequence[str] = (), note: str = "") -> None:
        self.warnings.append(Warned(code, int(count), tuple(first[:NAMED]), note))

    def warned(self, code: str) -> int:
        """How often this was noticed; 0 where it was not."""
        return sum(warning.count for warning in self.warnings if warning.code == code)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        record = asdict(self)
        record["stale"] = [list(stretch) for stretch in self.stale]
        record["warnings"] = [{**asdict(warning), "first": list(warning.first)} for warning in self.warnings]
        return record


def bar_name(row: int, minute: int | None = None) -> str:
    """`bar 1041 (2024-03-01 12:05 UTC)`: bars are counted from 1 in the order of the source."""
    return f"bar {row + 1}" if minute is None else f"bar {row + 1} ({moment(minute):%Y-%m-%d %H:%M} UTC)"


def bar_names(rows: np.ndarray, time: np.ndarray) -> list[str]:
    """Names of the first twenty of these rows."""
    return [bar_name(int(row), int(time[row])) for row in rows[:NAMED]]


def others(rows: np.ndarray) -> str:
    """The end of a sentence about the first of these rows: how many there are, and which come next."""
    if len(rows) < 2:
        return ""
    more = ", ".join(str(int(row) + 1) for row in rows[1:NAMED])
    return f" ({len(rows)} such bars, next {more}{', ...' if len(rows) > NAMED else ''})"
