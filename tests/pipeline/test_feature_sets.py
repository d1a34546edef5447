"""Each set of features from raw minutes to a bundle, whichever of the feature stages it leaves without work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from barsmith.features.sets import MINIMAL
from barsmith.pipeline.api import run, train
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.parity import parity
from small_market import later_bars, settings_text


def walked(workspace: Path, chosen: str, **more: str) -> set[str]:
    """The features of a data run with this set; from its model a bundle is made, which says live what it says in batch."""
    features = f"{{set: {chosen}}}"
    (workspace / "config" / "pipeline.yaml").write_text(settings_text(features=features, validation="{max_correlation: 1.0}", **more))
    found = run(workspace, symbol="MES")
    bundle = create_bundle(train(workspace, model="logistic").run_dir, "set", workspace)
    told = parity(bundle, later_bars()[-1500:])
    assert (told.mismatches, told.features) == (0, found["features_kept"])
    assert told.bars > 20
    table = json.loads((workspace / "data/stages/MES/mtf/names.json").read_text())["value"]
    return set(table)


def test_minimal(copied: Path) -> None:
    assert walked(copied, "minimal") == set(MINIMAL)


def test_raw_prices_of_rungs_alone(copied: Path) -> None:
    rungs = ("1m", "5m", "15m", "1h")
    assert walked(copied, "multires") == {f"multires_{price}_{rung}" for price in ("open", "high", "low", "close") for rung in rungs}


def test_a_list_that_reads_the_base_timeframe_alone(copied: Path) -> None:
    assert walked(copied, "[close_zscore_50, 'rsi_??', 'hour_???']") == {"close_zscore_50", "rsi_14", "rsi_21", "hour_sin", "hour_cos"}


def test_a_list_that_reads_other_timeframes_alone(copied: Path) -> None:
    assert walked(copied, "'return_on_1?'") == {"return_on_1m", "return_on_1h"}


@pytest.mark.parametrize("base", ["15m", "1h"])
def test_another_base_timeframe(copied: Path, base: str) -> None:
    short = {"splits": "{purge_bars: 20, embargo_bars: 10}", "base_timeframe": base}
    chosen = "[return_on_1m, rsi_on_15m, rsi_on_1h, log_return_1, hour_sin, 'multires_close_*']"
    found = walked(copied, chosen, **short)
    assert found == {"return_on_1m", "rsi_on_15m", "rsi_on_1h", "log_return_1", "hour_sin"} | {
        f"multires_close_{rung}" for rung in ("1m", "5m", "15m", "1h")
    }
