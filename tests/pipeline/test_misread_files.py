"""A file read on another clock, a roll that is not in it: what a run says of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from barsmith.cli.run import report_of
from barsmith.pipeline.api import run, validate


def test_a_file_on_another_clock_is_not_ready_and_a_roll_outside_it_is_named(copied: Path) -> None:
    raw = copied / "data" / "raw" / "MES_1m.parquet"
    bars = pl.read_parquet(raw)
    bars.with_columns(pl.col("datetime") + timedelta(hours=1)).write_parquet(raw)
    record = run(copied, symbol="MES", overrides=["rolls=[2030-01-01T00:00Z]"])
    assert not record["is_ready"]
    first = record["findings"][0]
    assert (first["code"], first["severity"]) == ("bars/zone", "error")
    assert "barsmith inspect" in first["what"]
    assert not validate(copied, symbol="MES")["is_ready"]
    told = "\n".join(str(line) for line in report_of(record).says)
    assert "2030-01-01 00:00 UTC" in told
    report = Path(record["report"]).with_suffix(".md").read_text()
    assert "trade" in report
    assert "zone or the stamps of this file" in report
