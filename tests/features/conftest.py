"""The whole catalogue, read once over an ordinary and once over an awkward market."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from barsmith.bars.ladder import COLUMNS, ladder, rung_column
from barsmith.bars.minutes import Minutes
from barsmith.features.learned import taught
from barsmith.features.plan import Plan, Reading
from barsmith.features.registry import catalogue
from barsmith.testing.markets import SESSIONS, awkward_minutes, ordinary_minutes


@dataclass(frozen=True)
class Market:
    """Minutes and what the catalogue reads in them. `bars`: timeframe -> columns, each (m,) float64."""

    minutes: Minutes
    reading: Reading
    bars: Mapping[str, Mapping[str, np.ndarray]]
    ends: Mapping[str, np.ndarray]
    names: tuple[str, ...]

    def column(self, name: str) -> np.ndarray:
        return self.reading.matrix[:, self.names.index(name)]

    def first_settled(self, name: str) -> int:
        return int(self.reading.first_settled[self.names.index(name)])

    def head(self, rows: int) -> Market:
        """The first base bars."""
        return replace(self, reading=replace(self.reading, matrix=self.reading.matrix[:rows]))


@pytest.fixture(scope="session")
def whole_plan() -> Plan:
    """Every feature of the catalogue; those that learn have learned from another market."""
    features = {name: feature.expr for name, feature in catalogue().items()}
    lesson = ordinary_minutes(12, seed=1)
    time = [(int(lesson.time[0]), int(lesson.time[-1]) + 1)]
    known = taught(features, lesson, base="5m", sessions=SESSIONS, slices=time, seed=1)
    return Plan(known, base="5m", sessions=SESSIONS)


def market_of(plan: Plan, minutes: Minutes) -> Market:
    rungs = ladder(minutes, SESSIONS, plan.timeframes)
    bars = {timeframe: {name: rung_column(rung, SESSIONS, name) for name in COLUMNS} for timeframe, rung in rungs.items()}
    return Market(minutes, plan.read(minutes), bars, {t: rung.end for t, rung in rungs.items()}, plan.names)


@pytest.fixture(scope="session")
def ordinary(whole_plan) -> Market:
    return market_of(whole_plan, ordinary_minutes(28, seed=3))


@pytest.fixture(scope="session")
def awkward(whole_plan) -> Market:
    return market_of(whole_plan, awkward_minutes())
