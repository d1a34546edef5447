"""A feature's values over a contract: those of the data run where it made exactly this feature, else computed the same way."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barsmith.config_reading import load_settings
from barsmith.errors import IntegrityError, UsageError
from barsmith.features import close, lag
from barsmith.features.registry import Feature, catalogue
from barsmith.pipeline.feature_values import FeatureValues, feature_values, of_raw, of_run, only_symbol
from small_market import SmallMarket

FEATURES = catalogue()


def values_of(workspace: Path, one: Feature, symbol: str = "MES") -> FeatureValues:
    return feature_values(workspace, load_settings(workspace).settings, symbol, one)


@pytest.mark.parametrize("name", ["rsi_14", "trend_alignment_15m", "session_position"])
def test_the_run_and_the_raw_bars_give_the_same_bits(name: str, market: SmallMarket) -> None:
    settings = load_settings(market.workspace).settings.for_symbol("MES")
    found = of_run(market.workspace, settings, "MES", FEATURES[name])
    again = of_raw(market.workspace, settings, FEATURES[name])
    assert found is not None
    assert (found.came_from, again.came_from) == (f"run {market.run['run_id']}", "data/raw")
    assert found.values.tobytes() == again.values.tobytes()
    assert (found.first_settled, found.train, found.base) == (again.first_settled, again.train, again.base)
    assert found.bars.equals(again.bars)


def test_a_column_is_that_of_the_features_file(market: SmallMarket) -> None:
    table = pl.read_parquet(market.workspace / "data" / "features" / "MES" / "features.parquet")
    found = values_of(market.workspace, FEATURES["cci_20"])
    assert np.array_equal(found.values, table["cci_20"].to_numpy(), equal_nan=True)
    assert found.bars["datetime"].to_list() == table["datetime"].to_list()


def test_a_run_on_other_base_bars_is_not_taken(market: SmallMarket) -> None:
    other = load_settings(market.workspace, overrides=["base_timeframe=15m"]).settings
    assert of_run(market.workspace, other.for_symbol("MES"), "MES", FEATURES["rsi_14"]) is None
    assert feature_values(market.workspace, other, "MES", FEATURES["rsi_14"]).base == "15m"


def test_another_definition_of_the_same_name_is_not_taken_from_the_run(market: SmallMarket) -> None:
    other = dataclasses.replace(FEATURES["log_return_1"], expr=close - lag(close, 1))
    assert of_run(market.workspace, load_settings(market.workspace).settings.for_symbol("MES"), "MES", other) is None
    found = values_of(market.workspace, other)
    assert found.came_from == "data/raw"
    moves = np.diff(found.bars["close"].to_numpy())
    assert np.array_equal(found.values[1:], moves)


def test_a_feature_that_the_run_left_out_is_computed(market: SmallMarket) -> None:
    found = values_of(market.workspace, FEATURES["rsi_21"])
    assert found.came_from == "data/raw"


def test_a_feature_that_learns_learns_on_the_training_slice_alone(market: SmallMarket, copied: Path) -> None:
    one = FEATURES["volatility_regime_12"]
    found = values_of(market.workspace, one)
    assert found.came_from == "data/raw"
    train, later = found.parts()["train"], found.parts()["later"]
    assert np.abs((train == -1).mean() - 0.25) < 0.01  # its cuts are the quartiles of train
    raw = copied / "data" / "raw" / "MES_1m.parquet"
    bars = pl.read_parquet(raw)
    end = found.bars["decision"][found.train.stop - 1]
    wild = pl.when(pl.col("datetime") >= end).then(1.02).otherwise(1.0)
    bars.with_columns(high=pl.col("high") * wild).write_parquet(raw)
    wilder = values_of(copied, one)
    assert np.array_equal(wilder.parts()["train"], train)
    assert not np.array_equal(wilder.parts()["later"], later)


def test_only_settled_rows_are_counted_and_train_ends_before_later_begins(market: SmallMarket) -> None:
    found = values_of(market.workspace, FEATURES["adx_14"])
    parts = found.parts()
    assert len(parts["all"]) == len(found.values) - found.first_settled
    assert len(parts["train"]) == found.train.stop - found.first_settled
    assert np.array_equal(parts["later"], found.values[found.train.stop :])


def test_a_changed_features_file_is_found(copied: Path) -> None:
    path = copied / "data" / "features" / "MES" / "features.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError):
        values_of(copied, FEATURES["rsi_14"])


def test_a_contract_without_bars_is_an_error(market: SmallMarket) -> None:
    with pytest.raises(UsageError) as error:
        values_of(market.workspace, FEATURES["rsi_14"], "MGC")
    assert error.value.code == "bars/not-found"


def test_the_only_contract_needs_no_name(market: SmallMarket, copied: Path, tmp_path: Path) -> None:
    settings = load_settings(copied).settings
    assert only_symbol(copied, settings) == "MES"
    (copied / "data" / "raw" / "MGC_1m.parquet").write_bytes(market.raw.read_bytes())
    assert only_symbol(copied, settings) is None
    assert only_symbol(copied, settings.for_symbol("MGC")) == "MGC"
    assert only_symbol(tmp_path / "empty", settings) is None
