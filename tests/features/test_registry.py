"""Names for expressions: variants, catalogue entries, a user's file and his plain function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_plan import SESSIONS, steady

from barsmith.bars.minutes import Minutes
from barsmith.errors import DataError, UsageError
from barsmith.features import Bars
from barsmith.features.definitions import load_module
from barsmith.features.plain import plain_function
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue

OWN = '''
import numpy as np
from barsmith.features import Bars, close, feature, lag, log, on, ta

@feature(n=(3, 5))
def own_rsi(n):
    """Share of upward movement. Unit: 0..1. Source: Wilder (1978)."""
    return ta.RSI(close, timeperiod=n) / 100

@feature(timeframe=("1h", "4h"), n=2)
def own_return(timeframe, n):
    """Log return. Unit: log return."""
    return on(timeframe, log(close / lag(close, n)))

@feature(lookback=4)
def own_range(bars: Bars) -> np.ndarray:
    """Range of four bars. Unit: price."""
    return np.full(len(bars), bars.close.max() - bars.close.min())
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "my_features.py"
    path.write_text(OWN)
    return path


def test_a_users_file_adds_its_features_in_all_variants(own):
    found = catalogue([own])
    mine = {name: f for name, f in found.items() if f.group == "user"}
    assert list(mine) == ["own_rsi_3", "own_rsi_5", "own_return_1h_2", "own_return_4h_2", "own_range"]
    entry = mine["own_rsi_3"]
    assert (entry.summary, entry.unit, entry.source) == ("Share of upward movement.", "0..1", "Wilder (1978)")
    assert mine["own_return_1h_2"].warmup("5m") == (3, "1h")
    assert mine["own_range"].warmup("5m") == (4, "5m")


def test_periods_can_be_set(own):
    assert "own_rsi_9" in catalogue([own], {"own_rsi": {"n": [9]}})


def test_a_feature_of_a_timeframe_that_is_not_wanted_is_left_out(own):
    found = catalogue([own], timeframes=("5m", "1h"))
    assert "own_return_1h_2" in found
    assert "own_return_4h_2" not in found


def test_a_file_is_loaded_afresh_each_time(own):
    catalogue([own])
    own.write_text(OWN.replace("own_rsi", "other_rsi"))
    assert "other_rsi_3" in catalogue([own])


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("features/module", "raise ValueError('no')"),
        ("features/module", "x = 1"),
        ("features/definition", "from barsmith.features import feature\n@feature(n=3)\ndef f(m): return m"),
        ("features/definition", "from barsmith.features import feature\n@feature(lookback=0)\ndef f(bars): return bars.close"),
        ("features/definition", "from barsmith.features import feature\n@feature(n=3)\ndef f(n): return n"),
        ("features/duplicate-name", "from barsmith.features import feature, close\n@feature(n=(3, 3))\ndef f(n): return close"),
    ],
)
def test_a_users_file_that_cannot_be_used_says_why(tmp_path, code, text):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        catalogue([path])
    assert refused.value.code == code


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(UsageError) as refused:
        load_module(tmp_path / "none.py")
    assert refused.value.code == "features/module"


def test_unknown_families_and_periods_are_refused(own):
    with pytest.raises(UsageError, match="own_rsi"):
        catalogue([own], {"own_rsj": {"n": [3]}})
    with pytest.raises(UsageError, match="features.params"):
        catalogue([own], {"own_rsi": {"m": [3]}})


def future_mean(bars: Bars) -> np.ndarray:
    return np.convolve(bars.close, np.ones(3) / 3, mode="same")  # centred: reads one bar ahead


def whole_zscore(bars: Bars) -> np.ndarray:
    return (bars.close - bars.close.mean()) / bars.close.std()


def reading_of(function, minutes: Minutes, lookback: int = 5) -> np.ndarray:
    return Plan({"x": plain_function(function, lookback)}, base="5m", sessions=SESSIONS).read(minutes).matrix[:, 0]


@pytest.mark.parametrize("function", [future_mean, whole_zscore])
def test_a_plain_function_that_peeks_sees_nothing_but_its_tail(function):
    """Planted leaks 1 and 3: the column is the tail reading, so a prefix gives the same values."""
    rng = np.random.default_rng(3)
    minutes = steady(200)
    minutes.bars[:, :4] = 100 + rng.normal(size=200).cumsum()[:, None]
    whole = reading_of(function, minutes)
    closes = minutes.bars[4::5, 3]
    assert whole[4:].tolist() == [float(function(Bars(*(closes[i - 4 : i + 1],) * 6))[-1]) for i in range(4, 40)]
    for n in (60, 105, 150):
        assert np.array_equal(reading_of(function, minutes[:n]), whole[: n // 5], equal_nan=True)


def test_a_plain_function_cannot_change_its_bars():
    def vandal(bars: Bars) -> np.ndarray:
        bars.close[-1] = 0.0
        return bars.close

    with pytest.raises(DataError) as refused:
        reading_of(vandal, steady(50))
    assert refused.value.code == "features/function-failed"


def test_a_plain_function_of_another_length_is_refused():
    with pytest.raises(DataError) as refused:
        reading_of(lambda bars: bars.close[:2], steady(50))
    assert refused.value.code == "features/shape"


def test_a_plain_function_gets_stamps_in_utc():
    seen = []

    def look(bars: Bars) -> np.ndarray:
        seen.append(bars.datetime[-1])
        return bars.close

    minutes = steady(10)
    reading_of(look, minutes, 1)
    assert seen == [np.datetime64(int(t) * 60, "s") for t in minutes.time[::5]]
