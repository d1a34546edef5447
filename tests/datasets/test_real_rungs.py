"""Nine rungs of the real MES: what live could compute, and a roll that is no move."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from barsmith.bars.cleaning import clean
from barsmith.bars.ladder import ladder
from barsmith.bars.sessions import load_sessions
from barsmith.config import MULTIRES_TIMEFRAMES
from barsmith.datasets.rungs import RungBars, RungWindows, is_too_early, last_finished

pytestmark = pytest.mark.real


def test_windows_over_the_september_roll_show_no_jump_and_no_later_minute(real_data):
    """MESU5 ends at 6381.25, MESZ5 begins at 6601.25 on 2025-09-11 04:08 UTC: 3.4 %."""
    frame = pl.read_parquet(real_data / "MES_1m.parquet")
    roll = int(frame.filter(pl.col("open") == 6601.25)["datetime"].min().timestamp()) // 60
    sessions = load_sessions("equity_index", "ETH")
    minutes, _ = clean(frame, sessions, rolls=(roll,))
    at = int(np.searchsorted(minutes.time, roll))
    assert (minutes.time[at], minutes.bars[at - 1, 3], minutes.bars[at, 0]) == (roll, 6381.25, 6601.25)
    base = ladder(minutes, sessions, ["5m"])["5m"].end
    decisions = base[np.searchsorted(base, roll, "right") :][:200]
    bars = RungBars.of_minutes(minutes, sessions, int(decisions[-1]))
    last = last_finished(bars, decisions)
    assert not is_too_early(bars, last, 60).any()
    windows = np.asarray(RungWindows(bars, last, 60))
    assert windows.shape == (200, 9, 60, 4)
    assert 0.001 < np.abs(windows).max() < 0.025
    plain = ladder(minutes, sessions, MULTIRES_TIMEFRAMES, adjusted=False, now=int(decisions[-1]))
    own = RungBars.of({name: (rung.bars[:, :4], rung.end) for name, rung in plain.items()})
    assert np.abs(np.asarray(RungWindows(own, last, 60))).max() > 0.03, "in the contracts' own prices the roll is a jump"
    for i in (0, 57, 199):
        known = minutes[: int(np.searchsorted(minutes.time, decisions[i]))]
        alone = RungBars.of_minutes(known, sessions, int(decisions[i]))
        assert RungWindows(alone, last_finished(alone, decisions[i : i + 1]), 60)[0].tobytes() == windows[i].tobytes()
