"""What `predict` says of a file is what `run` says of it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from barsmith.artifacts import write_parquet
from barsmith.cli.bars_file import bars_for, warnings_of
from barsmith.pipeline.api import load_run_data
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.serving.bundle import Bundle
from small_market import SmallMarket


def test_missing_minutes_are_counted_within_sessions_as_a_run_counts_them(market: SmallMarket, tmp_path: Path) -> None:
    """A minute that falls out of the session makes no gap beside it."""
    bars = pl.read_parquet(market.raw)
    stray = bars.head(1).with_columns(datetime=pl.lit(bars["datetime"][0]).dt.offset_by("-20m"))
    file = tmp_path / "MES_1m.parquet"
    write_parquet(file, pl.concat([stray, bars[:50], bars[53:]]), symbol="MES")
    bundle = Bundle.load(market.bundle, workspace=market.workspace)
    found = {
        one["code"]: one["count"]
        for one in warnings_of(bars_for(bundle, file, timezone=None, timestamps=None, on_bad_rows=None, repair=False))
    }
    before = load_run_data(market.workspace, "MES").field("clean", CleanMinutes, "counts")["missing_minutes"]
    assert found["bars/gap"] == before + 3
    assert found["bars/out-of-session"] == 1
