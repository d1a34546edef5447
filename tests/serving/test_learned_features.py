"""Learned features on their way: learned from train rows, carried by the bundle, the same bits live."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from forging import forge, record_in

from barsmith.errors import IntegrityError
from barsmith.pipeline.api import run, train
from barsmith.serving.bundle import Bundle
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.parity import parity
from small_market import SmallMarket

MINE = '''
import numpy as np
from barsmith.features import feature, high, kernel, learner, log, low

@kernel(size=lambda center, spread: 0, settling=lambda center, spread: 0)
def against(state, params, x):
    return (x - params[0]) / params[1]

@learner(kernel=against, settling=lambda: 0)
def typical(sequences, settings, seed):
    rows = np.concatenate(sequences)[:, 0]
    return np.median(rows), rows.std()

@feature
def bar_height_regime():
    """Height of the bar against those of training. Unit: deviations. Source: own."""
    return typical(log(high / low))
'''


@pytest.fixture(scope="module")
def walked(market: SmallMarket, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(workspace, bundle) with a learned feature of the user's own."""
    workspace = shutil.copytree(market.workspace, tmp_path_factory.mktemp("learned") / "workspace")
    (workspace / "mine.py").write_text(MINE)
    run(workspace, symbol="MES", overrides=["features.modules=[mine.py]", "validation.max_correlation=1.0"])
    made = create_bundle(train(workspace, model="logistic").run_dir, "learned", workspace)
    return workspace, made.folder


def stored(workspace: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((workspace / "data/stages/MES/regime/learned.json").read_text())["value"]
    return found


def test_the_stage_learns_from_the_train_rows_and_nothing_later(walked: tuple[Path, Path], market: SmallMarket, tmp_path: Path) -> None:
    workspace, _ = walked
    changed = shutil.copytree(workspace, tmp_path / "changed")
    split = json.loads((workspace / "data/splits/scaled/MES/split_config.json").read_text())["value"]
    decided = pl.read_parquet(workspace / "data/processed/MES/5m.parquet")["decision"][split["train"][1] - 1]
    raw = pl.read_parquet(market.raw)
    later = pl.col("datetime") >= decided
    wider = [pl.when(later).then(pl.col(name) * by).otherwise(pl.col(name)).alias(name) for name, by in (("high", 1.02), ("low", 0.98))]
    raw.with_columns(wider).write_parquet(changed / "data/raw/MES_1m.parquet")
    overrides = ["features.modules=[mine.py]", "validation.max_correlation=1.0"]
    run(changed, symbol="MES", overrides=overrides)
    assert stored(changed) == stored(workspace) != {}
    earlier = pl.col("datetime") == raw["datetime"][3000]
    raw.with_columns(pl.when(earlier).then(pl.col("high") * 1.01).otherwise(pl.col("high")).alias("high")).write_parquet(
        changed / "data/raw/MES_1m.parquet"
    )
    run(changed, symbol="MES", overrides=overrides)
    assert stored(changed) != stored(workspace)


def test_the_bundle_carries_what_was_learned_and_live_equals_batch(walked: tuple[Path, Path], market: SmallMarket) -> None:
    workspace, folder = walked
    bundle = Bundle.load(folder, workspace=workspace)
    assert "bar_height_regime" in bundle.plan.names
    (learned,) = record_in(folder)["learned"].values()
    assert [learned] == list(stored(workspace).values())
    assert parity(bundle, pl.read_parquet(market.raw)).mismatches == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda learned: learned.clear(),
        lambda learned: next(iter(learned.values())).update(params=[0.0, 1.0]),
        lambda learned: next(iter(learned.values())).update(params=[0.0]),
        lambda learned: next(iter(learned.values())).update(params=[1.0, 2.0, 3.0]),
        lambda learned: next(iter(learned.values())).update(params="much"),
        lambda learned: next(iter(learned.values())).pop("what"),
        lambda learned: learned.update({"zz": next(iter(learned.values()))}),
    ],
)
def test_other_learned_numbers_are_refused(change: Callable[[dict[str, Any]], object], walked: tuple[Path, Path], tmp_path: Path) -> None:
    workspace, folder = walked
    copy = shutil.copytree(folder, tmp_path / "copy")
    forge(copy, lambda record: change(record["learned"]))
    with pytest.raises(IntegrityError):
        Bundle.load(copy, workspace=workspace)
