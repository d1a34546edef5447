"""What docs/clocks.md shows works as it is written there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barsmith.bars.reading import read_bars
from barsmith.bars.simulate import simulate
from barsmith.config import ClockSettings

PAGE = (Path(__file__).parents[2] / "docs/clocks.md").read_text()


def test_the_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = simulate("MES", 4, 5, 0.0, paths=0).bars
    for folder in ("data/processed/MES", "data/raw"):
        (tmp_path / folder).mkdir(parents=True)
    bars.write_parquet(tmp_path / "data/processed/MES/1m.parquet")
    stamps = bars["datetime"].dt.convert_time_zone("America/Chicago").dt.strftime("%Y-%m-%d %H:%M:07.250")
    pl.DataFrame({"datetime": stamps, "price": bars["close"], "size": np.full(len(bars), 40)}).write_csv(tmp_path / "MES_trades.csv")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    approximate, exact, minutes = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(approximate, names)
    assert len(np.unique(names["bars"].session)) in (
        2,
        3,
    )  # the first of four has no threshold, nor the second where the first is not whole
    assert 50 < len(names["bars"]) < 300
    exec(exact, names)
    assert set(names["bars"]["volume"]) == {1000.0, *names["bars"].filter(pl.col("volume") < 1000)["volume"]}
    assert set(names["bars"]["trades"]) >= {25}
    exec(minutes, names)
    assert len(read_bars("data/raw/MES_1m.parquet")) == len(bars) - 1  # the minute of the last trade goes on


def test_the_settings_shown_are_the_defaults_but_for_the_kind() -> None:
    block = re.search(r"    clock:.*?\n((?:      .*\n)+)", PAGE)
    assert block is not None
    shown = dict(re.findall(r"^ +(\w+): (\S+)", block[1], re.M))
    assert shown.pop("kind") == "dollar"
    defaults = ClockSettings().model_dump(exclude={"kind"})
    assert {name: None if value == "null" else float(value) for name, value in shown.items()} == defaults
