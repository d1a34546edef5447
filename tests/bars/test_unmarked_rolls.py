"""Changes of contract that no column marks: which are seen, which are hidden, and that calm markets are not accused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barsmith.bars.minutes import FIELDS, as_minutes, minute_of, moment
from barsmith.bars.sessions import load_sessions
from barsmith.bars.simulate import simulate
from barsmith.bars.unmarked_rolls import Suspect, suspected_rolls, windows
from barsmith.config import CleanSettings, SessionSettings
from barsmith.instruments import SHIPPED
from barsmith.pipeline.quality_tables import suspect_rows
from barsmith.pipeline.stages.clean import clean
from barsmith.pipeline.stages.ingest import RawData

EQUITY, METALS = load_sessions("equity_index"), load_sessions("metals")
ROLL = minute_of(datetime(2025, 9, 15, 22, tzinfo=UTC))  # the session of Tuesday before the third Friday


@lru_cache
def calm() -> pl.DataFrame:
    return simulate("MES", 60, seed=5, edge=0.0, start=date(2025, 8, 1), paths=0).bars


def looked_at(bars: pl.DataFrame, symbol: str = "MES") -> list[Suspect]:
    values = np.column_stack([bars[name].cast(pl.Float64).to_numpy() for name in FIELDS])
    return suspected_rolls(as_minutes(bars["datetime"]), values, METALS if symbol == "MGC" else EQUITY, symbol)


def with_roll(bars: pl.DataFrame, points: float, minute: int = ROLL) -> pl.DataFrame:
    later = pl.Series(as_minutes(bars["datetime"]) >= minute)
    return bars.with_columns(pl.when(later).then(pl.col(name) + points).otherwise(name).alias(name) for name in FIELDS[:4])


def test_a_jump_at_a_sessions_open_in_the_days_of_an_expiry_is_suspected() -> None:
    suspects = looked_at(with_roll(calm(), 55.0))
    assert [(one.time, one.certainty, one.expiry) for one in suspects] == [(ROLL, "likely", "2025-09")]
    assert suspects[0].gap == pytest.approx(55.0, abs=10)


def test_a_market_without_a_roll_is_not_accused() -> None:
    assert looked_at(calm()) == []


def test_a_gap_as_small_as_the_markets_own_cannot_be_seen() -> None:
    assert looked_at(with_roll(calm(), 6.0)) == []


def test_a_jump_far_from_every_expiry_is_no_roll() -> None:
    assert looked_at(with_roll(calm(), 55.0, minute_of(datetime(2025, 8, 20, 22, tzinfo=UTC)))) == []


def test_a_hole_in_the_days_of_an_expiry_hides_what_happened() -> None:
    time = as_minutes(calm()["datetime"])
    holed = calm().filter(pl.Series((time < ROLL - 600) | (time > ROLL + 300)))
    assert [(one.certainty, one.expiry) for one in looked_at(holed)] == [("hidden", "2025-09")]


def test_few_sessions_say_nothing() -> None:
    assert looked_at(with_roll(calm().head(9 * 1380), 55.0, ROLL)) == []


def test_the_days_in_which_contracts_are_left() -> None:
    day = (date(2025, 9, 1) - date(1970, 1, 1)).days
    names = {name: (moment(a * 1440).date(), moment(b * 1440).date()) for name, a, b in windows("MES", "equity_index", day, day + 30)}
    assert names == {"2025-09": (date(2025, 9, 9), date(2025, 9, 22))}
    assert [name for name, _, _ in windows("MGC", "metals", day, day + 120)] == ["2025-12"]
    assert "2025-12" in [name for name, _, _ in windows("SI", "metals", day, day + 120)]
    assert windows("BTC", "always", day, day + 30) == []


def test_a_run_reports_its_suspicion_and_changes_nothing_until_the_roll_is_given() -> None:
    bars = with_roll(calm(), 55.0)
    raw = RawData(bars.with_columns(pl.col("volume").cast(pl.Float64)), bars.head(0), {})
    rest = (SHIPPED["MES"], SessionSettings(), CleanSettings())
    suspected, told = clean(raw, *rest, ()), clean(raw, *rest, (ROLL,))
    assert [one["time"] for one in suspected.counts["suspected_rolls"]] == ["2025-09-15T22:00Z"]
    assert set(suspected.minutes.factor) == {1.0}
    assert (told.counts["suspected_rolls"], told.counts["rolls"]) == ([], 1)
    assert suspect_rows(suspected.counts)[0]["how sure"] == "likely"


@pytest.mark.real
def test_of_the_real_rolls_those_at_a_sessions_open_are_all_found_and_those_in_holes_are_said_to_be_hidden(real_data: Path) -> None:
    mgc = looked_at(pl.read_parquet(real_data / "MGC_1m.parquet"), "MGC")
    truth = [
        datetime(2025, 1, 30, 23),
        datetime(2025, 3, 30, 22),
        datetime(2025, 5, 28, 22),
        datetime(2025, 7, 29, 22),
        datetime(2025, 11, 25, 23),
    ]
    assert [(moment(one.time).replace(tzinfo=None), one.certainty) for one in mgc] == [(time, "likely") for time in truth]
    mes = looked_at(pl.read_parquet(real_data / "MES_1m.parquet"))
    holes = [datetime(2025, 9, 11, 4, 8), datetime(2025, 12, 11, 7, 0), datetime(2026, 3, 12, 6, 0)]
    assert [(moment(one.time).replace(tzinfo=None), one.certainty) for one in mes] == [(time, "hidden") for time in holes]
