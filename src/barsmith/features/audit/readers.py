"""How a set of features is read for an audit: from raw rows on, from minutes, and bar by bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from barsmith.bars import cleaning
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions
from barsmith.features.graph import Expr
from barsmith.features.live import Live
from barsmith.features.plan import Plan, Reading


@dataclass(frozen=True)
class Columns:
    """What was read. start, end: (m,) int64 of the base bars. matrix: (m, f). first_settled: (f,), see `Reading`."""

    start: np.ndarray
    end: np.ndarray
    matrix: np.ndarray
    first_settled: np.ndarray

    @classmethod
    def of(cls, reading: Reading) -> Columns:
        return cls(reading.base.start, reading.base.end, reading.matrix, reading.first_settled)


class Reader(Protocol):
    """Reads the features `names`, in this process or in another one."""

    names: tuple[str, ...]

    def read(self, raw: pl.DataFrame, now: int | None = None) -> Columns:
        """Raw rows to features: cleaned, built into bars and read. now: the clock; bars that end later are not there yet."""

    def read_minutes(self, minutes: Minutes) -> Columns:
        """The same from minutes that are clean already."""

    def begin(self, minutes: Minutes) -> None:
        """Stand where a history ends, ready for `feed`."""

    def feed(self, time: np.ndarray, bars: np.ndarray, now: int) -> tuple[np.ndarray, np.ndarray]:
        """Some minutes, (n, 6) at adjusted prices and then the own close, and the clock: (ends, (k, f) values) of the base bars that they finished."""


class OwnReader:
    """A reader in this process."""

    def __init__(self, features: Mapping[str, Expr], *, base: str, sessions: Sessions, rolls: Sequence[int] = ()) -> None:
        self.names, self.rolls, self.sessions = tuple(features), tuple(rolls), sessions
        self.plan = Plan(features, base=base, sessions=sessions)

    def read(self, raw: pl.DataFrame, now: int | None = None) -> Columns:
        minutes, _ = cleaning.clean(raw, self.sessions, rolls=self.rolls)
        return Columns.of(self.plan.read(minutes, now))

    def read_minutes(self, minutes: Minutes) -> Columns:
        return Columns.of(self.plan.read(minutes))

    def begin(self, minutes: Minutes) -> None:
        self.live = Live(self.plan, minutes)

    def feed(self, time: np.ndarray, bars: np.ndarray, now: int) -> tuple[np.ndarray, np.ndarray]:
        finished = [bar for at, bar in zip(time.tolist(), bars.tolist(), strict=True) for bar in self.live.update(at, bar[:5], bar[5])]
        finished += self.live.advance(now)
        values = np.array([bar.features for bar in finished], np.float64).reshape(len(finished), len(self.names))
        return np.array([bar.end for bar in finished], np.int64), values
