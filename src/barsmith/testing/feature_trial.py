"""Features on trial: the simulated markets that they are checked on, and what they say there in batch and live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np

from barsmith.bars.minutes import Minutes
from barsmith.errors import UsageError
from barsmith.features.graph import Expr
from barsmith.features.learned import taught
from barsmith.features.live import Live
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue
from barsmith.testing.markets import SESSIONS, awkward_minutes, ordinary_minutes, scaled, still_minutes, untraded


@cache
def market(name: str) -> Minutes:
    return MARKETS[name]()


LENGTH = 30  # sessions of a market: those of a 1d feature's twenty bars, and ten more
MARKETS: dict[str, Callable[[], Minutes]] = {
    "lesson": partial(ordinary_minutes, 40, seed=20),
    "ordinary": partial(ordinary_minutes, LENGTH, seed=21),
    "another": partial(ordinary_minutes, LENGTH, seed=22),
    "awkward": awkward_minutes,
    "flat": partial(still_minutes, LENGTH, volume=7.0),
    "flat and untraded": partial(still_minutes, LENGTH),
    "untraded by the hour": lambda: untraded(market("ordinary")),
    "huge prices": lambda: scaled(market("ordinary"), 2.0**17),  # 5e8, by a power of two: only logarithms may round otherwise
    "tiny prices": lambda: scaled(market("ordinary"), 2.0**-30),  # 4e-6
}


@dataclass(frozen=True, eq=False)
class Told:
    """What features said. end: (m,) minutes since 1970. matrix: (m, f). settled: (m, f) bool; live (m, 1), whether all have settled."""

    end: np.ndarray
    matrix: np.ndarray
    settled: np.ndarray


class Trial:
    """Features by name, a base timeframe, and what they say on each market. Raises UsageError `features/definition` for none."""

    def __init__(self, features: Mapping[str, Expr], *, base: str = "5m") -> None:
        if not features:
            raise UsageError("features/definition", expected="one feature or more to check", came="none", do="name a file that has some")
        self.features, self.base = dict(features), base
        self.told: dict[str, Told] = {}

    @classmethod
    def of(cls, file: Path | str, *, base: str = "5m") -> Trial:
        """The features of a user's file. Raises UsageError where the file is none."""
        shipped = catalogue(base=base)
        return cls({name: each.expr for name, each in catalogue([Path(file)], base=base).items() if name not in shipped}, base=base)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.features)

    @cached_property
    def plan(self) -> Plan:
        return self.planned()

    def planned(self) -> Plan:
        """The features ready to be read, with what they learn learned anew."""
        lesson = market("lesson")
        slices = [(int(lesson.time[0]), int(lesson.time[-1]) + 1)]
        features = taught(self.features, lesson, base=self.base, sessions=SESSIONS, slices=slices, seed=7)
        return Plan(features, base=self.base, sessions=SESSIONS)

    def on(self, name: str) -> Told:
        """A whole market, read once."""
        if name not in self.told:
            self.told[name] = read(self.plan, market(name))
        return self.told[name]

    def halves(self) -> list[Trial]:
        middle = len(self.names) // 2
        return [Trial({n: self.features[n] for n in part}, base=self.base) for part in (self.names[:middle], self.names[middle:])]


def read(plan: Plan, minutes: Minutes) -> Told:
    reading = plan.read(minutes)
    return Told(reading.base.end, reading.matrix, np.arange(len(reading.base.end))[:, None] >= reading.first_settled)


def lived(live: Live, minutes: Minutes) -> Told:
    """The base bars that these minutes finish, one minute after the other."""
    bars = [
        bar for time, minute in zip(minutes.time.tolist(), minutes.adjusted().tolist(), strict=True) for bar in live.update(time, minute)
    ]
    matrix = np.array([bar.features for bar in bars]).reshape(len(bars), len(live.plan.names))
    return Told(np.array([bar.end for bar in bars], np.int64), matrix, np.array([[bar.settled] for bar in bars], bool))


def same_bits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two float64 arrays of one shape are equal in every bit; a NaN equals a NaN."""
    return (a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))
