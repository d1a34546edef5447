"""Every feature on the real bars, whole and damaged: live against batch at every bar, and restored at fifty moments, without a bit's difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barsmith.bars.cleaning import clean
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.features.graph import Expr
from barsmith.features.learned import taught
from barsmith.features.live import Live
from barsmith.features.plan import Plan, Reading
from barsmith.features.registry import catalogue
from barsmith.testing.feature_trial import Trial, lived, same_bits
from barsmith.testing.markets import kept

pytestmark = pytest.mark.real
MARKETS = (("MES", "equity_index"), ("MGC", "metals"))
RESTORES = 50
AT_ONCE = 5000  # minutes that are lived and then compared


@dataclass(frozen=True, eq=False)
class History:
    """One file's minutes, the catalogue that has learned from their first half, and its reading of all of them."""

    name: str
    minutes: Minutes
    plan: Plan
    reading: Reading

    def differing(self, live: Live, minutes: Minutes) -> tuple[int, set[str]]:
        """How many values these minutes bring, each of them compared with the batch's, and the features of which one differs."""
        told = lived(live, minutes)
        if not len(told.end):
            return 0, set()
        row = int(np.searchsorted(self.reading.base.end, told.end[0]))
        rows = slice(row, row + len(told.end))
        assert np.array_equal(told.end, self.reading.base.end[rows])
        assert np.array_equal(told.settled[:, 0], self.reading.settled[rows])
        equal = same_bits(told.matrix, self.reading.matrix[rows]).all(axis=0)
        return told.matrix.size, {name for name, is_equal in zip(self.plan.names, equal, strict=True) if not is_equal}


def minutes_of(real_data: Path, symbol: str, calendar: str) -> Minutes:
    return clean(pl.read_parquet(real_data / f"{symbol}_1m.parquet"), load_sessions(calendar))[0]


def read(name: str, minutes: Minutes, sessions: Sessions, features: Mapping[str, Expr] | None = None) -> History:
    features = features or {name: each.expr for name, each in catalogue().items()}
    first_half = [(int(minutes.time[0]), int(minutes.time[len(minutes) // 2]))]
    known = taught(features, minutes, base="5m", sessions=sessions, slices=first_half, seed=7)
    plan = Plan(known, base="5m", sessions=sessions)
    return History(name, minutes, plan, plan.read(minutes))


def damaged(minutes: Minutes, seed: int) -> Minutes:
    """The same bars with 150 stretches of one to 600 minutes in which nothing trades, 150 of one price, 150 that are missing.

    And one minute in fifty missing.
    """
    random, bars, keep = np.random.default_rng(seed), minutes.bars.copy(), np.ones(len(minutes), bool)

    def stretches() -> Iterator[slice]:
        for start, length in zip(random.integers(0, len(minutes) - 600, 150), random.integers(1, 600, 150), strict=True):
            yield slice(int(start), int(start + length))

    for stretch in stretches():
        bars[stretch, 4] = 0.0
    for stretch in stretches():
        bars[stretch, :4] = bars[stretch.start, 3]
    for stretch in stretches():
        keep[stretch] = False
    return kept(Minutes(minutes.time, bars, minutes.contract, minutes.factor), keep & (random.random(len(minutes)) > 0.02))


@pytest.fixture(
    scope="module",
    params=[(*market, state) for market in MARKETS for state in ("whole", "damaged")],
    ids=lambda param: f"{param[0]}-{param[2]}",
)
def history(request, real_data) -> History:
    symbol, calendar, state = request.param
    minutes = minutes_of(real_data, symbol, calendar)
    return read(f"{symbol} {state}", damaged(minutes, seed=3) if state == "damaged" else minutes, load_sessions(calendar))


def test_the_damaged_bars_are_damaged(real_data):
    whole = minutes_of(real_data, "MES", "equity_index")
    found = damaged(whole, seed=3)
    assert 0.80 < len(found) / len(whole) < 0.90
    assert (found.bars[:, 4] == 0).sum() > 20_000
    assert (np.ptp(found.bars[:, :4], axis=1) == 0).sum() > (np.ptp(whole.bars[:, :4], axis=1) == 0).sum() + 20_000


@pytest.mark.parametrize(("symbol", "calendar"), MARKETS)
def test_the_last_three_sessions_are_finite_and_the_same_live(symbol, calendar, real_data):
    last = read(symbol, minutes_of(real_data, symbol, calendar)[-60_000:], load_sessions(calendar))
    assert last.differing(Live(last.plan, last.minutes[:-4000]), last.minutes[-4000:]) == (800 * len(last.plan.names), set())
    assert last.reading.settled[-800:].all()
    assert np.isfinite(last.reading.matrix[last.reading.settled]).all()


def test_a_feature_that_is_not_the_same_live_would_be_found(real_data):
    """The planted faults of the conformance checks, on real bars: running sums in batch, and a past that a restored session lacks."""
    faulty = Trial.of(Path(__file__).parent / "conformance" / "faulty_features.py").features
    some = {name: faulty[name] for name in ("running_mean", "without_past", "honest_rsi_on_1h")}
    last = read("MGC", minutes_of(real_data, *MARKETS[1])[-20_000:], load_sessions(MARKETS[1][1]), some)
    opened = int(edges(last)[-2]) + 1  # later in a session the past comes back with the minutes that are lived again
    values, differing = last.differing(Live(last.plan, last.minutes[:opened]), last.minutes[opened:])
    assert values > 3 * 276
    assert differing == {"running_mean", "without_past"}


def edges(history: History) -> np.ndarray:
    """Index of the first minute of each session but the first."""
    return np.flatnonzero(np.diff(history.plan.sessions.numbers(history.minutes.time))) + 1


@pytest.mark.slow
def test_every_value_live_is_the_value_of_the_batch(history, capsys):
    minutes, values, differing = history.minutes, 0, set()
    live = Live(history.plan, minutes[:1])
    for start in range(1, len(minutes), AT_ONCE):
        more, wrong = history.differing(live, minutes[start : start + AT_ONCE])
        values, differing = values + more, differing | wrong
    with capsys.disabled():
        print(f"\n{history.name}: {len(minutes)} minutes, {values} values live against batch, features that differ: {sorted(differing)}")
    assert not differing
    assert values == history.reading.matrix.size
    assert values > 10_000_000


def moments(history: History) -> Iterator[tuple[int, int]]:
    """Where to restore and until where to go on: ten times over the end of a session to ten minutes after it, else for half an hour."""
    random, size = np.random.default_rng(50), len(history.minutes)
    for edge in random.choice(edges(history)[5:-5], RESTORES // 5, replace=False).tolist():
        yield edge - int(random.integers(0, 60)), edge + 10
    for at in random.integers(1000, size - 30, RESTORES - RESTORES // 5).tolist():
        yield at, at + 30


@pytest.mark.slow
def test_a_session_restored_at_fifty_moments_goes_on_with_the_same_bits(history, capsys):
    values, differing = [], set()
    for at, until in moments(history):
        more, wrong = history.differing(Live(history.plan, history.minutes[:at]), history.minutes[at:until])
        values.append(more)
        differing |= wrong
    with capsys.disabled():
        print(f"\n{history.name}: {sum(values)} values after {len(values)} restores, features that differ: {sorted(differing)}")
    assert not differing
    assert len(values) == RESTORES
    assert min(values) >= len(history.plan.names)
