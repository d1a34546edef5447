"""A small simulated workspace, walked once from raw minutes to a bundle, for the tests of pipeline and serving."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from barsmith.bars.simulate import simulate
from barsmith.bars.simulated_files import write_simulated
from barsmith.features.registry import catalogue
from barsmith.pipeline.api import run, train
from barsmith.pipeline.training_result import Training
from barsmith.serving.bundle_making import create_bundle

FIRST_DAY, DAYS, SEED, EDGE = date(2025, 3, 3), 12, 5, 0.1
TIMEFRAMES = ("1m", "5m", "15m", "1h")
FEATURES = (
    *("log_return_1", "log_return_6", "rsi_14", "roc_10", "cci_20", "mfi_14", "atr_to_close_14", "bar_range", "bollinger_position_20"),
    *("close_zscore_50", "adx_14", "williams_r_28", "return_zscore_50", "realized_volatility_12", "parkinson_20", "log_volume_20"),
    *("roll_spread_48", "order_flow_imbalance_20", "session_minutes_since_open", "hour_sin", "hour_cos", "session_position"),
    *("wavelet_trend_haar", "rsi_on_15m", "return_on_1m", "return_on_1h", "trend_alignment_15m", "bollinger_position_on_15m"),
)
MODEL = ("training.n_estimators=20", "training.max_depth=3", "training.n_jobs=1")


@dataclass(frozen=True)
class SmallMarket:
    """The workspace and what was made in it. Nobody writes into it: a test that changes something takes a copy."""

    workspace: Path
    run: dict[str, Any]
    training: Training
    bundle: Path

    @property
    def raw(self) -> Path:
        return self.workspace / "data" / "raw" / "MES_1m.parquet"


def settings_text(**more: str) -> str:
    drop = [name for name in catalogue((), {}, TIMEFRAMES) if name not in FEATURES]
    lines = {
        "timeframes": f"[{', '.join(TIMEFRAMES)}]",
        "label_horizons": "[5, 20]",
        "splits": "{purge_bars: 60, embargo_bars: 100}",
        "labels": "{tune: false}",  # the true odds are of the contract's own barriers
        "features": f"{{drop: [{', '.join(drop)}]}}",
    }
    return "".join(f"{key}: {value}\n" for key, value in (lines | more).items())


@functools.cache
def small_market() -> SmallMarket:
    """Made once a process: about 4 s, and some more where kernels must be compiled."""
    workspace = Path(tempfile.mkdtemp(prefix="barsmith-small-"))
    (workspace / "config").mkdir()
    (workspace / "config" / "pipeline.yaml").write_text(settings_text())
    write_simulated(workspace, "MES", days=DAYS, seed=SEED, edge=EDGE, paths=64, start=FIRST_DAY)
    ran = run(workspace, symbol="MES")
    training = train(workspace, model="xgboost", overrides=MODEL)
    bundle = create_bundle(training.run_dir, "small", workspace)
    return SmallMarket(workspace, ran, training, bundle.folder)


@functools.cache
def later_bars() -> pl.DataFrame:
    """The same market, lived four sessions longer: all its bars."""
    return simulate("MES", DAYS + 4, SEED, EDGE, start=FIRST_DAY, paths=0).bars


@pytest.fixture(scope="session")
def market() -> Iterator[SmallMarket]:
    found = small_market()
    yield found
    shutil.rmtree(found.workspace, ignore_errors=True)
    small_market.cache_clear()


@pytest.fixture
def copied(market: SmallMarket, tmp_path: Path) -> Path:
    """A copy of the workspace, to be changed."""
    return shutil.copytree(market.workspace, tmp_path / "copied")
