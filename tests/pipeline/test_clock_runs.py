"""Runs whose base bars a clock closes: from raw minutes over a roll to a bundle that says live what it says in batch."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barsmith.bars.clocks import Clock, clock_rung
from barsmith.bars.minutes import Minutes, as_minutes, moment
from barsmith.bars.sessions import load_sessions
from barsmith.pipeline.api import run, train, validate
from barsmith.serving.bundle import Bundle
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.parity import parity
from barsmith.serving.session import LiveSession
from small_market import later_bars, settings_text

ROLLS = [datetime(2025, 3, day, 22, tzinfo=UTC) for day in (11, 18)]
CLOCKS = {
    "dollar": "{kind: dollar, bars_per_session: 60, sessions: 3}",
    "volume": "{kind: volume, threshold: 4000}",
    "tick": "{kind: tick, bars_per_session: 60, sessions: 2, lots_per_trade: 1.7}",
}
CHOSEN = "[return_on_1m, rsi_on_15m, rsi_on_1h, log_return_1, close_zscore_50, session_position, hour_sin]"


def rolled(bars: pl.DataFrame) -> pl.DataFrame:
    """Each contract costs a half more than the one before: what counts dollars in adjusted prices is soon wrong."""
    number = sum((pl.col("datetime") >= roll).cast(pl.Int64) for roll in ROLLS)
    return bars.with_columns(pl.col("open", "high", "low", "close") * pl.lit(1.5).pow(number))


@pytest.fixture(params=CLOCKS)
def bundle(request: pytest.FixtureRequest, copied: Path) -> Bundle:
    raw = copied / "data/raw/MES_1m.parquet"
    rolled(pl.read_parquet(raw)).write_parquet(raw)
    features, rolls = f"{{set: {CHOSEN}}}", f"[{', '.join(f'{roll:%Y-%m-%dT%H:%MZ}' for roll in ROLLS)}]"
    splits = "{purge_bars: 20, embargo_bars: 10}"
    (copied / "config/pipeline.yaml").write_text(
        settings_text(features=features, rolls=rolls, splits=splits, clock=CLOCKS[request.param], validation="{max_correlation: 1.0}")
    )
    assert run(copied, symbol="MES")["is_ready"]
    assert not [finding for finding in validate(copied, symbol="MES")["findings"] if finding["severity"] == "error"]
    return create_bundle(train(copied, model="logistic").run_dir, request.param, copied)


def test_a_clock_run_says_live_what_it_says_in_batch(bundle: Bundle, copied: Path) -> None:
    kind = bundle.settings.clock.kind
    table = pl.read_parquet(copied / f"data/processed/MES/{kind}.parquet")
    minutes = Minutes.from_frame(pl.read_parquet(copied / "data/processed/MES/1m.parquet"))
    clock = Clock(kind, **bundle.settings.clock.model_dump(exclude={"kind"}), usd_per_point=5.0)
    rung = clock_rung(minutes, load_sessions("equity_index"), clock, adjusted=False)
    assert as_minutes(table["decision"]).tolist() == rung.end.tolist()
    assert table["close"].to_list() == rung.bars[:, 3].tolist()
    assert (np.diff(rung.end) != 5).mean() > 0.5

    bars = rolled(later_bars())
    later = bars[len(pl.read_parquet(copied / "data/raw/MES_1m.parquet")) :]
    told = parity(bundle, later)
    assert (told.mismatches, told.bars) == (0, len(bundle.predict(later)))
    assert told.bars > 100
    assert parity(bundle, bars).mismatches == 0  # the whole file again, from its first minute

    session = LiveSession(bundle, bundle.history)
    answers = [signal for message in later.iter_rows(named=True) for signal in session.update(message_of(message))]
    expected = bundle.predict(later)
    assert [moment(signal.start) for signal in answers] == expected["datetime"].to_list()

    session = LiveSession(bundle, bundle.history)
    totals = []
    for message in later[2000:2040].iter_rows(named=True):
        session.update(message_of(message))
        totals.append(session.features.clock.total)
        session.restore()
        assert session.features.clock.total == totals[-1]
    assert max(totals) > 0


def message_of(row: dict) -> dict:
    return {"symbol": "MES", **row, "datetime": f"{row['datetime']:%Y-%m-%dT%H:%M:%SZ}"}
