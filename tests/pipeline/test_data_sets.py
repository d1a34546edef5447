"""Data sets of a finished run: rows, windows and rungs, as live would have them, and the test split in none of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rewriting import SCALED, rewrite_table

from barsmith.bars.ladder import ladder
from barsmith.bars.minutes import Minutes, as_minutes
from barsmith.bars.sessions import load_sessions
from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.errors import DataError, UsageError
from barsmith.pipeline.api import run, validate
from barsmith.pipeline.api import train as train_model
from barsmith.pipeline.run_data import load_run_data
from barsmith.pipeline.stages.validation import Validated
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.parity import parity
from small_market import SmallMarket, later_bars, settings_text

FEATURES_FILE = "data/features/MES/features.parquet"
from_run = TimeSeriesDataContainer.from_run


def whole(workspace: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The times of all base bars, their features scaled by the run's scaler as live does it, and the features' names."""
    frame = pl.read_parquet(workspace / FEATURES_FILE)
    data = load_run_data(workspace, "MES")
    names = data.field("validation", Validated, "feature_set")["kept"]
    return as_minutes(frame["datetime"]), data.scaler_of(names).apply(frame.select(names).to_numpy()).astype(np.float32), names


def test_rows_are_those_of_the_run(market: SmallMarket) -> None:
    found, trained = from_run(market.workspace, "MES", 20), market.training.container
    assert found.train.X.tobytes() == trained.train.X.tobytes()
    assert found.left_out == trained.left_out
    time, X, names = whole(market.workspace)
    assert found.feature_names == tuple(names)
    assert found.val.X.tobytes() == X[np.searchsorted(time, found.val.datetime)].tobytes()


def test_windows_are_the_last_rows_that_live_would_have(market: SmallMarket) -> None:
    found = from_run(market.workspace, "MES", 20, reads="sequence", sequence_length=30)
    time, X, names = whole(market.workspace)
    assert not [name for name in found.feature_names if "_on_" in name or "alignment" in name]
    columns = [names.index(name) for name in found.feature_names]
    opened = found.open_test()
    for part in (found.train, found.val, opened.test):
        rows = np.searchsorted(time, part.datetime)
        for i in range(0, len(part), 97):
            assert part.X[i].tobytes() == np.ascontiguousarray(X[rows[i] - 29 : rows[i] + 1][:, columns]).tobytes()
    assert len(found.val) == len(from_run(market.workspace, "MES", 20).val), "windows of val begin in the gap before it"


def test_rungs_are_those_of_the_minutes_up_to_the_decision(market: SmallMarket) -> None:
    found = from_run(market.workspace, "MES", 20, reads="multires", multires_length=20, multires_timeframes=("1m", "5m", "30m"))
    minutes = Minutes.from_frame(pl.read_parquet(market.workspace / "data/processed/MES/1m.parquet"))
    sessions = load_sessions("equity_index", "ETH")
    for i in range(0, len(found.val), 61):
        decision = int(found.val.decision[i])
        known = minutes[: int(np.searchsorted(minutes.time, decision))]
        for r, rung in enumerate(ladder(known, sessions, ("1m", "5m", "30m"), now=decision).values()):
            prices = rung.bars[-20:, :4]
            assert found.val.X[i, r].tobytes() == (prices / prices[-1, 3] - 1.0).astype(np.float32).tobytes()


def test_the_manifest_counts_every_family(market: SmallMarket) -> None:
    manifest = json.loads((market.workspace / "runs" / market.run["run_id"] / "dataset_manifest.json").read_bytes())
    assert manifest["columns"] == {"tabular": 28, "sequence": 23, "multires": 0}
    for horizon in (5, 20):
        told = manifest["horizons"][str(horizon)]
        for reads in ("tabular", "sequence", "multires"):
            counts = told if reads == "tabular" else told["windows"][reads]
            found = from_run(market.workspace, "MES", horizon, reads=reads)
            assert counts["rows"] == {"train": len(found.train), "val": len(found.val)}
            assert counts["left_out"] == found.left_out
            for name, part in (("train", found.train), ("val", found.val)):
                assert len(part) + sum(found.left_out[name].values()) == market.run["splits"][name]


def test_windows_too_long_for_the_data_do_not_stop_a_run_of_rows(copied: Path) -> None:
    record = run(copied, symbol="MES", overrides=["datasets.sequence_length=2000", "datasets.multires_length=5000"])
    manifest = json.loads((copied / "runs" / record["run_id"] / "dataset_manifest.json").read_bytes())
    windows = manifest["horizons"]["20"]["windows"]
    assert "expected windows no longer than the smallest split, came a length of 2000" in windows["sequence"]["why_not"]
    assert "rungs too early" in windows["multires"]["why_not"]
    with pytest.raises(DataError, match="a length of 2000"):
        from_run(copied, "MES", 20, reads="sequence")


def test_what_passes_the_scaling_stands_in_the_manifest_and_live_is_batch(copied: Path) -> None:
    record = run(copied, symbol="MES", overrides=["scaling.pass_through=[flags, bounded]"])
    told = json.loads((copied / "runs" / record["run_id"] / "dataset_manifest.json").read_bytes())["scaling"]
    assert told["passed_through"]["rsi_14"] == "bounded"
    assert told["passed_through"]["trend_alignment_15m"] == "flags"
    assert "log_return_1" in told["scaled"]
    assert len(told["scaled"]) + len(told["passed_through"]) == 28
    assert validate(copied, symbol="MES")["is_ready"]
    raw = pl.read_parquet(copied / FEATURES_FILE).head(record["splits"]["train"])
    train = pl.read_parquet(copied / f"{SCALED}/train_scaled.parquet")
    assert train["rsi_14"].equals(raw["rsi_14"])
    assert not train["log_return_1"].equals(raw["log_return_1"])
    training = train_model(copied, model="logistic", overrides=("training.max_iter=50",))
    bundle = create_bundle(training.run_dir, "passed", copied)
    proof = parity(bundle, later_bars()[-1500:])
    assert (proof.mismatches, proof.bars) == (0, 301)


def test_a_change_of_the_scaler_that_calls_a_scaled_column_passed_is_found(copied: Path) -> None:
    run(copied, symbol="MES", overrides=["scaling.pass_through=[bounded]"])
    rewrite_table(copied, f"{SCALED}/train_scaled.parquet", lambda frame: frame.with_columns(rsi_14=pl.col("rsi_14") * 2))
    found = [one["code"] for one in validate(copied, symbol="MES")["findings"] if one["severity"] == "error"]
    assert found == ["scaling/other-values"]


def test_splits_by_date_begin_with_the_session_of_that_day(copied: Path) -> None:
    (copied / "config" / "pipeline.yaml").write_text(
        settings_text(splits="{val_start: 2025-03-12, test_start: 2025-03-17, purge_bars: 60, embargo_bars: 100}")
    )
    record = run(copied, symbol="MES")
    bars = pl.read_parquet(copied / "data/processed/MES/5m.parquet")
    split = json.loads((copied / f"{SCALED}/split_config.json").read_bytes())["value"]
    a, b = ((bars["trade_date"] < pl.Series([day]).str.to_date()[0]).sum() for day in ("2025-03-12", "2025-03-17"))
    assert (split["train"], split["val"], split["test"]) == ([0, a - 60], [a + 100, b - 60], [b + 100, len(bars)])
    assert record["splits"]["val"] == b - 60 - a - 100
    assert bars["session_id"][a] == bars["session_id"][a - 1] + 1
    assert validate(copied, symbol="MES")["is_ready"]
    with pytest.raises(DataError, match="splits.val_start") as caught:
        run(copied, symbol="MES", overrides=["splits.test_start=2026-01-01"])
    assert caught.value.code == "splits/dates"


def test_the_tables_before_the_test_split_hold_none_of_it(market: SmallMarket) -> None:
    closed = load_run_data(market.workspace, "MES").container(20, reads="sequence")
    first_test = pl.read_parquet(market.workspace / f"{SCALED}/test_scaled.parquet")["datetime"][0]
    matrix = closed.val.X.matrix
    assert matrix.datetime[-1] < as_minutes(pl.Series([first_test]))[0]
    assert len(matrix) == 2915


def test_rows_of_the_test_split_among_those_between_are_refused(copied: Path) -> None:
    """Planted: somebody lets windows see the features of the closed split."""
    test = pl.read_parquet(copied / f"{SCALED}/test_scaled.parquet")
    rewrite_table(copied, f"{SCALED}/between_scaled.parquet", lambda frame: pl.concat([frame, test.select(frame.columns)[:5]]))
    with pytest.raises(DataError, match="2915 base bars in train, val and between them: all before the test split, came 2920") as caught:
        from_run(copied, "MES", 20)
    assert caught.value.code == "datasets/rows"


def test_the_folder_of_the_scaled_splits_is_read_as_a_users_own(market: SmallMarket) -> None:
    folder = market.workspace / SCALED
    for reads in ("tabular", "sequence"):
        own = TimeSeriesDataContainer.from_parquet(folder, "MES", 20, reads=reads)
        run = from_run(market.workspace, "MES", 20, reads=reads, features=own.feature_names)
        assert len(own.feature_names) == 28
        assert (own.left_out, own.val.X[:50].tobytes()) == (run.left_out, run.val.X[:50].tobytes())
        assert own.open_test().test.X[:5].tobytes() == run.open_test().test.X[:5].tobytes()
    with pytest.raises(DataError, match="rows of MNQ alone"):
        TimeSeriesDataContainer.from_parquet(folder, "MNQ", 20)


@pytest.mark.parametrize("file", ["between", "val"])
def test_features_of_a_later_bar_in_what_windows_read_are_found(file: str, copied: Path) -> None:
    """Planted: a negative lag in the rows between the splits, or in validation, with every hash right."""
    rewrite_table(
        copied, f"{SCALED}/{file}_scaled.parquet", lambda frame: frame.with_columns(rsi_14=pl.col("rsi_14").shift(-1, fill_value=0.0))
    )
    found = [one["code"] for one in validate(copied, symbol="MES")["findings"] if one["severity"] == "error"]
    assert found == ["scaling/other-values"]


def test_no_label_lies_between_the_splits(market: SmallMarket) -> None:
    columns = pl.read_parquet(market.workspace / f"{SCALED}/between_scaled.parquet").columns
    assert not [name for name in columns if name.startswith(("label", "return_h", "sample_weight"))]


def test_a_horizon_or_setting_that_is_not_there_is_refused(market: SmallMarket) -> None:
    with pytest.raises(DataError, match="without label_h10") as caught:
        from_run(market.workspace, "MES", 10)
    assert caught.value.code == "datasets/columns"
    with pytest.raises(UsageError, match="sequence_lenght"):
        from_run(market.workspace, "MES", 20, reads="sequence", sequence_lenght=30)
    with pytest.raises(DataError, match="label_h20, which is a label column"):
        from_run(market.workspace, "MES", 20, features=["rsi_14", "label_h20"])
    with pytest.raises(DataError, match="a data run of MNQ|run --symbols MNQ"):
        from_run(market.workspace, "MNQ", 20)
