"""The user's primary signal: a dated file of sides, one for each base bar at whose close there is one, read whole or refused."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from barsmith.bars.columns import ALIASES, assign
from barsmith.bars.csv_reader import read_csv
from barsmith.bars.ladder import Rung
from barsmith.bars.minutes import as_datetime, as_minutes, moment
from barsmith.bars.parquet_reader import read_parquet
from barsmith.bars.raw_file import RawFile, content_format, read_file
from barsmith.bars.timestamps import read_stamps
from barsmith.config import shown
from barsmith.errors import DataError, UsageError

SIGNAL_ALIASES = {"datetime": ALIASES["datetime"], "signal": ("signal", "side", "primary_signal")}


@dataclass(frozen=True)
class PrimarySignal:
    """table: datetime (UTC, the open of the base bar at whose close the signal is known) and signal (Int8 -1, 0, +1), in the order of time.

    Without rows where the settings name no file.
    """

    table: pl.DataFrame

    @classmethod
    def of(cls, time: np.ndarray, signal: np.ndarray) -> PrimarySignal:
        """time: (n,) minutes since 1970 UTC. signal: (n,) -1, 0, +1."""
        return cls(pl.DataFrame({"datetime": as_datetime(time), "signal": pl.Series(signal, dtype=pl.Int8)}))

    @classmethod
    def none(cls) -> PrimarySignal:
        return cls.of(np.empty(0, np.int64), np.empty(0, np.int8))

    @property
    def rows(self) -> int:
        return len(self.table)

    def sides(self, base: Rung) -> np.ndarray:
        """(m,) int8: the side at each base bar, 0 where there is no signal."""
        found = np.zeros(len(base), np.int8)
        time = as_minutes(self.table["datetime"])
        places = np.minimum(np.searchsorted(base.start, time), len(base) - 1)
        is_there = base.start[places] == time
        found[places[is_there]] = self.table["signal"].to_numpy()[is_there]
        return found

    def check(self, base: Rung) -> None:
        """Each signal within the bars' time belongs to one of them. Raises DataError `signals/no-bar`."""
        acting = self.table.filter(pl.col("signal") != 0)
        time = as_minutes(acting["datetime"])
        time = time[(time >= base.start[0]) & (time < base.end[-1])]
        lost = time[base.start[np.searchsorted(base.start, time, "right") - 1] != time]
        if len(lost) or not len(time):
            came = (
                f"{len(lost)} that belong to none, the first at {moment(int(lost[0])):%Y-%m-%d %H:%M} UTC" if len(lost) else "none at all"
            )
            raise DataError(
                "signals/no-bar",
                expected=f"signals stamped with the open of a {base.timeframe} base bar, between {moment(int(base.start[0])):%Y-%m-%d} and "
                f"{moment(int(base.end[-1])):%Y-%m-%d}",
                came=came,
                do="stamp each with the open of the bar at whose close it is known, and leave out those between sessions",
                where="labels.primary_signal",
            )


def read_primary_signal(path: Path, *, root: Path, allow_outside: bool = False) -> PrimarySignal:
    """The signals of a CSV or Parquet file, in any order there; other columns are not read.

    root: the folder that the file, links followed, must lie in, unless allow_outside. Stamps name their zone.
    Raises UsageError `signals/not-found`, `signals/not-a-file`; DataError `signals/value`, `signals/duplicate`, and what the readers of bars
    raise with `signals/` for `bars/`.
    """
    with _said_of_signals():
        file = read_file(path, root=root, allow_outside=allow_outside)
        frame = _columns(file)
        time = read_stamps(frame, timezone=None, epoch_unit=None, where=file.name).time
    order = np.argsort(time, kind="stable")
    signal = _values(frame["signal"], file.name)[order]
    time = time[order]
    twice = time[1:][time[1:] == time[:-1]]
    if len(twice):
        came = f"two at {moment(int(twice[0])):%Y-%m-%d %H:%M} UTC" + (f" and {len(twice) - 1} more" if len(twice) > 1 else "")
        raise DataError("signals/duplicate", expected="one signal a bar", came=came, do="remove one of the two", where=file.name)
    return PrimarySignal.of(time, signal)


def _columns(file: RawFile) -> pl.DataFrame:
    choose = functools.partial(assign, aliases=SIGNAL_ALIASES, required=("signal",))
    if content_format(file) == "parquet":
        return read_parquet(file.data, file.name, choose)[1]
    table = read_csv(file.data, file.name)
    if not table.has_header:
        do = "add a line that names the columns: datetime,signal"
        raise DataError("bars/missing-column", expected="a header", came="none", do=do, where=file.name)
    columns = choose(table.names, file.name)
    return pl.DataFrame([table.frame.to_series(at).rename(name) for name, at in columns.positions.items()])


def _values(column: pl.Series, where: str) -> np.ndarray:
    """(n,) int8 -1, 0, +1. Raises DataError `signals/value`."""
    text = column.cast(pl.String).str.strip_chars()
    number = text.cast(pl.Float64, strict=False)
    wrong = (~number.is_in([-1.0, 0.0, 1.0])).fill_null(True)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        more = f" and {int(wrong.sum()) - 1} more" if int(wrong.sum()) > 1 else ""
        came = f"{shown(text[row]) if text[row] is not None else 'nothing'} as signal {row + 1}{more}"
        raise DataError("signals/value", expected="signals of -1, 0 and 1", came=came, do="correct it: 0 is no signal", where=where)
    return number.cast(pl.Int8).to_numpy()


@contextmanager
def _said_of_signals() -> Iterator[None]:
    """What the readers of bars refuse, in the words of signals."""
    try:
        yield
    except (DataError, UsageError) as error:
        code = error.code.replace("bars/", "signals/", 1)
        words = (text.replace("one-minute bars", "signals") for text in (error.expected, error.came, error.do))
        expected, came, do = (re.sub(r"\bbar(s?)\b", r"signal\1", text) for text in words)
        raise type(error)(code, expected=expected, came=came, do=do, where=error.where) from error
