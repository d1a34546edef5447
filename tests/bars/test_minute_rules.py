"""Options of cleaning: what each leaves out or adds, counted by hand, and that none reads a later minute."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.bars.cleaning import clean
from barsmith.bars.minute_rules import RANGES
from barsmith.bars.minutes import Minutes, as_datetime, minute_of
from barsmith.bars.sessions import load_sessions
from barsmith.config import CleanSettings
from barsmith.config_reading import load_settings
from barsmith.errors import UsageError

EQUITY = load_sessions("equity_index")
START = minute_of(datetime(2025, 6, 9, 14, tzinfo=UTC))
CLOSE = minute_of(datetime(2025, 6, 9, 21, tzinfo=UTC))


def raw(times: list[int], closes: list[float] | None = None, volumes: list[float] | None = None, **more: list) -> pl.DataFrame:
    close = np.array(closes if closes is not None else [100.0] * len(times))
    prices = {"open": close, "high": close + 0.5, "low": close - 0.5, "close": close}
    return pl.DataFrame(
        {"datetime": as_datetime(np.array(times)), **prices, "volume": volumes or [10.0] * len(times), **more}, strict=False
    )


def cleaned(frame: pl.DataFrame, **rules: object) -> tuple[Minutes, dict]:
    return clean(frame, EQUITY, rules=CleanSettings(**rules))  # type: ignore[arg-type]


def test_by_default_nothing_is_left_out_or_added() -> None:
    frame = raw([START, START + 1, START + 9], volumes=[0.0, 5.0, 1.0])
    minutes, counts = cleaned(frame)
    assert minutes.time.tolist() == [START, START + 1, START + 9]
    assert (counts["thin"], counts["outliers"], counts["filled"], counts["dropped_sessions"]) == (0, 0, 0, 0)


def test_minutes_below_the_least_volume_are_left_out() -> None:
    minutes, counts = cleaned(raw([START, START + 1, START + 2], volumes=[0.0, 2.0, 1.0]), min_volume=2)
    assert minutes.time.tolist() == [START + 1]
    assert (counts["thin"], counts["minutes"]) == (2, 1)


def test_a_gap_is_filled_forward_up_to_the_limit_and_no_further() -> None:
    minutes, counts = cleaned(raw([START, START + 3, START + 9], [100.0, 101.0, 102.0]), gaps="fill", max_fill=2)
    assert (minutes.time - START).tolist() == [0, 1, 2, 3, 4, 5, 9]
    assert minutes.bars[1].tolist() == [100.0, 100.0, 100.0, 100.0, 0.0]
    assert minutes.bars[4].tolist() == [101.0, 101.0, 101.0, 101.0, 0.0]
    assert counts["filled"] == 4


def test_a_session_is_filled_to_its_close_and_the_break_stays_empty() -> None:
    times = [CLOSE - 3, CLOSE + 62]
    minutes, _ = cleaned(raw(times), gaps="fill", max_fill=100)
    assert (minutes.time - CLOSE).tolist() == [
        -3,
        -2,
        -1,
        62,
    ]  # the next session's first minutes have nothing before them to be filled with


def test_vendors_fillers_count_as_filled() -> None:
    frame = raw([START, START + 1, START + 9], volumes=[5.0, 0.0, 5.0])
    quiet = frame.with_columns(pl.when(pl.col("volume") == 0).then(100.0).otherwise(name).alias(name) for name in ("high", "low"))
    minutes, _ = cleaned(quiet, gaps="fill", max_fill=2)
    assert (minutes.time - START).tolist() == [0, 1, 2, 9]


def calm(n: int = 100) -> tuple[list[int], list[float]]:
    return [START + i for i in range(n)], [100.0 + (i % 2) for i in range(n)]


def test_an_outlier_is_counted_and_left_out_on_request() -> None:
    times, closes = calm()
    closes[80] = 150.0  # ranges are 1: this one reaches 50.5 from the close before
    flagged, counts = cleaned(raw(times, closes))
    assert (len(flagged), counts["outliers"]) == (100, 2)  # the way there and the way back
    assert counts["first_outliers"] == ["2025-06-09T15:20Z", "2025-06-09T15:21Z"]
    dropped, counts = cleaned(raw(times, closes), outliers="drop")
    assert (dropped.time - START).tolist() == [i for i in range(100) if i != 80]
    assert counts["outliers"] == 1


def test_nothing_is_judged_before_there_are_enough_ranges() -> None:
    times, closes = calm()
    closes[RANGES - 1] = 150.0
    assert cleaned(raw(times[:RANGES], closes[:RANGES]))[1]["outliers"] == 0


def test_a_price_that_stays_away_is_a_new_level() -> None:
    times, closes = calm(120)
    closes[80:] = [150.0 + (i % 2) for i in range(40)]
    minutes, _ = cleaned(raw(times, closes), outliers="drop")
    assert (minutes.time - START).tolist() == [*range(80), *range(85, 120)]  # five minutes after the last good close it is believed


def test_a_new_session_and_a_new_contract_are_no_outliers() -> None:
    times, closes = calm()
    closes[80:] = [150.0 + (i % 2) for i in range(20)]
    names = ["MESM5"] * 80 + ["MESU5"] * 20
    for more in ({"contract": names}, {"roll_ratio": [None] * 80 + [1.5] + [None] * 19}):
        assert cleaned(raw(times, closes, **more), outliers="drop")[1]["outliers"] == 0
    assert clean(raw(times, closes), EQUITY, rolls=[START + 80], rules=CleanSettings(outliers="drop"))[1]["outliers"] == 0
    later = [*times[:80], *(CLOSE + 60 + i for i in range(20))]
    assert cleaned(raw(later, closes), outliers="drop")[1]["outliers"] == 0


def test_a_session_with_a_hole_goes_when_the_next_one_has_begun() -> None:
    first, second = [START, START + 1, START + 50], [CLOSE + 60, CLOSE + 61]
    minutes, counts = cleaned(raw(first + second), gaps="drop_session", max_gap=30)
    assert minutes.time.tolist() == second
    assert counts["dropped_sessions"] == 1
    assert cleaned(raw(first), gaps="drop_session", max_gap=30)[0].time.tolist() == first
    assert cleaned(raw(first + second), gaps="drop_session", max_gap=48)[1]["dropped_sessions"] == 0


def test_contracts_are_counted_anew_where_the_first_ones_go() -> None:
    frame = raw([START, START + 50, CLOSE + 60, CLOSE + 61], contract=["MESM5", "MESM5", "MESU5", "MESU5"])
    minutes, _ = cleaned(frame, gaps="drop_session")
    assert (minutes.contract.tolist(), minutes.names) == ([0, 0], ("MESU5",))


def test_the_ratio_of_a_roll_whose_first_minute_goes_is_that_of_the_next() -> None:
    names, ratio = ["MESM5", "MESU5", "MESU5"], [None, 1.25, None]
    thin = raw([START, START + 1, START + 2], [100.0, 125.0, 126.0], [5.0, 0.0, 5.0], contract=names, roll_ratio=ratio)
    assert cleaned(thin, min_volume=1)[0].factor.tolist() == [1.0, 1.25]
    outside = raw([CLOSE - 1, CLOSE + 5, CLOSE + 60], [100.0, 125.0, 126.0], contract=names, roll_ratio=ratio)
    assert cleaned(outside)[0].factor.tolist() == [1.0, 1.25]


def test_interpolation_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="tells its bars the price that comes after") as error:
        load_settings(tmp_path, overrides=["clean.gaps=interpolate"])
    assert error.value.code == "config/leakage"


RULES = (
    {"gaps": "fill", "max_fill": 3, "outliers": "drop", "outlier_ranges": 3.0},
    {"min_volume": 2, "outliers": "drop", "outlier_ranges": 2.0},
    {"gaps": "fill", "max_fill": 40, "min_volume": 1},
)


def wild(seed: int) -> pl.DataFrame:
    """Two sessions' edges with holes, spikes, thin and still minutes and a roll."""
    random = np.random.default_rng(seed)
    times = np.unique(np.concatenate([np.arange(CLOSE - 260, CLOSE), np.arange(CLOSE + 60, CLOSE + 200)]))
    times = times[(random.random(len(times)) < 0.8) & ~((times > CLOSE - 150) & (times < CLOSE - 140))]
    closes = 100.0 + random.normal(size=len(times)).cumsum() * 0.2 + np.where(random.random(len(times)) < 0.03, 20.0, 0.0)
    names = np.where(times < CLOSE - 60, "MESM5", "MESU5")
    ratio = [1.01 if i and names[i] != names[i - 1] else None for i in range(len(times))]
    return raw(
        times.tolist(), closes.tolist(), random.integers(0, 4, len(times)).astype(float).tolist(), contract=names.tolist(), roll_ratio=ratio
    )


def same(a: Minutes, b: Minutes) -> bool:
    return a.names == b.names and all(np.array_equal(getattr(a, each), getattr(b, each)) for each in ("time", "bars", "contract", "factor"))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10), st.integers(5, 280), st.sampled_from(RULES))
def test_no_rule_reads_a_later_minute_and_going_on_gives_the_same_bits(seed: int, cut: int, rules: dict) -> None:
    frame = wild(seed)
    whole, part = cleaned(frame, **rules)[0], cleaned(frame[:cut], **rules)[0]
    assert same(part, whole[: len(part)]) or not len(part)
    if frame["roll_ratio"][:cut].is_null().all() or (len(part) and part.names == whole.names):
        assert same(clean(frame[cut:], EQUITY, after=part, rules=CleanSettings(**rules))[0], whole)


@pytest.mark.real
@pytest.mark.parametrize(("symbol", "calendar", "most"), [("MES", "equity_index", 40), ("MGC", "metals", 60)])
def test_few_real_minutes_are_outliers(real_data: Path, symbol: str, calendar: str, most: int) -> None:
    _, counts = clean(pl.read_parquet(real_data / f"{symbol}_1m.parquet").drop("symbol"), load_sessions(calendar))
    assert 0 < counts["outliers"] < most
