"""Base bars by their name: timeframes and clocks alike."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.bars.base_bars import bar_minutes, base_name, base_rung, clock_name, clock_of, rungs
from barsmith.bars.clocks import Clock, clock_rung
from barsmith.bars.ladder import ladder
from barsmith.bars.minutes import Minutes, minute_of
from barsmith.bars.sessions import load_sessions
from barsmith.config import TIMEFRAMES, Settings
from barsmith.errors import UsageError
from barsmith.instruments import instrument

EQUITY = load_sessions("equity_index")
MONDAY = minute_of(datetime(2025, 6, 8, 22, tzinfo=UTC))
MINUTES = Minutes.of(np.arange(MONDAY, MONDAY + 100), np.tile([10.0, 11.0, 9.0, 10.0, 5.0], (100, 1)))

positive = st.floats(1e-6, 1e12)


def name_of(**clock: object) -> str:
    return base_name(Settings.model_validate({"clock": clock}), instrument("MES"))


def test_a_run_without_a_clock_decides_on_its_timeframe() -> None:
    assert name_of() == "5m"
    assert clock_of("5m") is None
    assert {name: bar_minutes(name) for name in ("1m", "1d")} == {"1m": (1, 1), "1d": (1440, 1440)}


def test_the_name_of_a_clock_says_what_its_bars_depend_on() -> None:
    assert name_of(kind="volume") == "volume(bars_per_session=78.0, sessions=20)"
    assert name_of(kind="volume", threshold=5000) == "volume(threshold=5000.0)"
    assert name_of(kind="dollar", sessions=5) == "dollar(bars_per_session=78.0, sessions=5, usd_per_point=5.0)"
    assert name_of(kind="tick", threshold=900, lots_per_trade=2.5) == "tick(threshold=900.0, lots_per_trade=2.5)"
    assert bar_minutes(name_of(kind="volume")) == (1, 1440)


@given(st.sampled_from(["volume", "dollar", "tick"]), st.none() | positive, positive, st.integers(1, 250), positive, positive)
def test_a_name_is_read_as_the_same_bars(kind: str, threshold: float | None, bars: float, sessions: int, worth: float, lots: float) -> None:
    read = clock_of(clock_name(Clock(kind, threshold, bars, sessions, worth, lots)))
    assert read is not None
    assert clock_name(read) == clock_name(Clock(kind, threshold, bars, sessions, worth, lots))
    assert (read.kind, read.threshold) == (kind, threshold)
    if threshold is None:
        assert (read.bars_per_session, read.sessions) == (bars, sessions)
    assert read.usd_per_point == (worth if kind == "dollar" else 1.0)
    assert read.lots_per_trade == (lots if kind == "tick" else None)


@pytest.mark.parametrize(
    "name",
    ["7m", "volume", "volume()", "volume(threshold=x)", "volume(speed=1.0)", "time(threshold=1.0)", "volume(threshold=1.0, threshold"],
)
def test_a_name_of_neither_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        clock_of(name)
    assert caught.value.code in ("config/timeframe", "clock/settings")


def test_timeframes_and_clocks_are_read_together() -> None:
    name = clock_name(Clock("volume", threshold=25.0))
    found = rungs(MINUTES, EQUITY, ["15m", name], now=MONDAY + 50)
    assert found["15m"].bars.tolist() == ladder(MINUTES, EQUITY, ["15m"], now=MONDAY + 50)["15m"].bars.tolist()
    assert found[name].end.tolist() == clock_rung(MINUTES, EQUITY, Clock("volume", threshold=25.0), now=MONDAY + 50).end.tolist()
    assert found[name].end.tolist() == list(range(MONDAY + 5, MONDAY + 51, 5))
    assert base_rung(MINUTES, EQUITY, "5m", adjusted=False).bars.tolist() == base_rung(MINUTES, EQUITY, name, adjusted=False).bars.tolist()


def test_every_timeframe_is_a_base() -> None:
    assert all(clock_of(name) is None for name in TIMEFRAMES)
