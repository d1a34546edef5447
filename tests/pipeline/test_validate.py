"""`validate` over a data run that lies although every hash is right: the leaks of ingest to datasets, planted one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rewriting import SCALED, rewrite_json, rewrite_table

from barsmith.artifacts import read_json
from barsmith.cli.validate import told as sentences
from barsmith.datasets.roles import roles_of
from barsmith.datasets.scaling import RobustScaler
from barsmith.datasets.selection import uncorrelated
from barsmith.errors import DataError, IntegrityError
from barsmith.pipeline.api import validate
from barsmith.validation.checks import settled_matrix
from small_market import SmallMarket

FEATURES_FILE = "data/features/MES/features.parquet"


def errors_of(workspace: Path) -> dict[str, tuple[str, ...]]:
    """Code -> columns of each finding that forbids training."""
    told = validate(workspace, symbol="MES")
    found = {finding["code"]: tuple(finding["columns"]) for finding in told["findings"] if finding["severity"] == "error"}
    assert told["is_ready"] == (not found)
    return found


def table(workspace: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(workspace / f"{SCALED}/{name}_scaled.parquet")


def stored_scaler(workspace: Path) -> RobustScaler:
    return RobustScaler.from_json(json.dumps(read_json(workspace / f"{SCALED}/feature_scaler.json")["value"]))


def scale_again(workspace: Path, scaler: RobustScaler) -> None:
    """The whole scaling stage as another scaler would have left it."""
    whole = pl.read_parquet(workspace / FEATURES_FILE)
    rewrite_json(workspace, f"{SCALED}/feature_scaler.json", lambda _: json.loads(scaler.to_json()))
    for name in ("train", "val", "test", "between"):

        def scaled(frame: pl.DataFrame) -> pl.DataFrame:
            rows = whole.join(frame.select("datetime"), on="datetime", how="semi")
            values = scaler.apply(rows.select(scaler.names).to_numpy())
            return frame.with_columns(pl.Series(column, values[:, i]) for i, column in enumerate(scaler.names))

        rewrite_table(workspace, f"{SCALED}/{name}_scaled.parquet", scaled)


def test_an_honest_run_is_ready_and_all_its_files_are_compared(market: SmallMarket) -> None:
    told = validate(market.workspace, symbol="MES")
    assert (told["run_id"], told["symbol"], told["is_ready"]) == (market.run["run_id"], "MES", True)
    data = [path for path in (market.workspace / "data").rglob("*") if path.suffix in (".parquet", ".json") and path.parent.name != "raw"]
    assert told["files"] == len([path for path in data if path.name != "state.json"])
    assert {finding["severity"] for finding in told["findings"]} <= {"warning"}
    assert [line for line in sentences(told) if line.startswith("not checked: ")] == [
        f"not checked: {what}" for what in told["not_checked"]
    ]
    assert len(told["not_checked"]) == 3


def test_a_workspace_without_a_run_has_nothing_to_validate(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        validate(tmp_path, symbol="MES")
    assert refused.value.code == "data/not-run"


def test_the_walk_through_the_wrong_hands_leaves_an_honest_run_honest(copied: Path) -> None:
    scale_again(copied, stored_scaler(copied))
    assert errors_of(copied) == {}


@pytest.mark.parametrize(
    "file", [FEATURES_FILE, f"{SCALED}/test_scaled.parquet", f"{SCALED}/split_config.json", "data/processed/MES/1h.parquet"]
)
def test_a_flipped_bit_in_any_file_is_found(file: str, copied: Path) -> None:
    whole = (copied / file).read_bytes()
    for at in range(0, len(whole), len(whole) // 7):
        (copied / file).write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(IntegrityError) as refused:
            validate(copied, symbol="MES")
        assert refused.value.code == "integrity/mismatch"


@pytest.mark.parametrize("answer", ["label_h20", "return_h5", "sample_weight_h20", "label_end_h20"])
def test_leak_13_an_answer_named_as_a_feature(answer: str, copied: Path) -> None:
    rewrite_json(copied, "data/stages/MES/mtf/names.json", lambda names: [*names, answer])
    with pytest.raises(DataError) as refused:
        roles_of(table(copied, "train").columns, [answer])
    assert refused.value.code == "datasets/role"
    rewrite_table(copied, FEATURES_FILE, lambda frame: frame.with_columns(pl.lit(0.0).alias(answer)))
    assert answer in errors_of(copied)["datasets/role"]


@pytest.mark.parametrize("record", ["mtf", "scaling"])
def test_leak_13_an_answer_whose_role_is_feature(record: str, copied: Path) -> None:
    rewrite_json(copied, f"data/stages/MES/{record}/roles.json", lambda roles: {**roles, "return_h20": "feature"})
    assert set(errors_of(copied)) == {"datasets/role"}


def test_leak_13_an_answer_among_the_kept_features(copied: Path) -> None:
    rewrite_json(copied, "data/stages/MES/validation/feature_set.json", lambda told: {**told, "kept": [*told["kept"], "label_h20"]})
    assert errors_of(copied)["validation/selection-not-train"] == ("label_h20",)
    assert "datasets/role" in errors_of(copied)


@pytest.mark.parametrize(
    "answer",
    [
        pl.col("label_h20").cast(pl.Float64),
        (pl.col("return_h20") * 900).tanh(),
        (pl.col("label_end_h5") - pl.col("decision")).dt.total_minutes().log(),
    ],
)
def test_leak_13_an_answer_under_a_features_name(answer: pl.Expr, copied: Path) -> None:
    """It was there before scaling, and scaled like the others."""
    names = read_json(copied / "data/stages/MES/mtf/names.json")["value"]
    answers = pl.concat(
        [table(copied, name).select("datetime", leak=answer.cast(pl.Float64).fill_null(0.0)) for name in ("train", "val", "test")]
    )

    def planted(frame: pl.DataFrame) -> pl.DataFrame:
        told = frame.select("datetime").join(answers, on="datetime", how="left", maintain_order="left")
        return frame.with_columns(rsi_14=told["leak"].fill_null(0.0))

    rewrite_table(copied, FEATURES_FILE, planted)
    train = pl.read_parquet(copied / FEATURES_FILE).head(len(table(copied, "train")))
    scale_again(copied, RobustScaler.fit(settled_matrix(train, names), names))
    assert errors_of(copied)["datasets/answer"] == ("rsi_14",)


def test_leak_15_a_correlation_filter_decided_on_all_rows(copied: Path) -> None:
    """After train, and only there, two features are made to say the same: over all rows one of them repeats the other."""
    begins, names = 2318, stored_scaler(copied).names
    rows = pl.int_range(pl.len())
    same = pl.when(rows % 3 == 0).then(-1e6).otherwise(1e6)

    def planted(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.when(rows >= begins).then(same).otherwise(pl.col(name)).alias(name) for name in ("rsi_14", "roc_10"))

    rewrite_table(copied, FEATURES_FILE, planted)
    scale_again(copied, stored_scaler(copied))
    matrices = [settled_matrix(table(copied, name), names) for name in ("train", "val", "test")]
    on_train, on_all = (uncorrelated(X, names, 0.95).kept for X in (matrices[0], np.concatenate(matrices)))
    assert set(on_train) ^ set(on_all) == {"roc_10"}
    assert errors_of(copied) == {}
    rewrite_json(copied, "data/stages/MES/validation/feature_set.json", lambda told: {**told, "kept": list(on_all)})
    assert errors_of(copied) == {"validation/selection-not-train": ("roc_10",)}


@pytest.mark.parametrize("rows", ["train and validation", "everything", "train without its last settled row"])
def test_leak_16_a_scaler_fitted_on_other_rows_than_train(rows: str, copied: Path) -> None:
    whole, train = pl.read_parquet(copied / FEATURES_FILE), len(table(copied, "train"))
    cut = {"train and validation": 2815, "everything": len(whole), "train without its last settled row": train - 1}[rows]
    names = stored_scaler(copied).names
    scale_again(copied, RobustScaler.fit(settled_matrix(whole.head(cut), names), names))
    found = errors_of(copied)
    assert set(found) == {"scaling/not-train"}
    assert len(found["scaling/not-train"]) > len(names) / 2


def test_leak_16_tables_scaled_by_another_scaler_than_the_stored_one(copied: Path) -> None:
    rewrite_table(copied, f"{SCALED}/train_scaled.parquet", lambda frame: frame.with_columns(rsi_14=pl.col("rsi_14") + 1e-12))
    assert errors_of(copied) == {"scaling/other-values": ("rsi_14",)}


def test_leak_17_a_purge_shorter_than_the_labels(copied: Path) -> None:
    """Somebody counts 5 bars before the first row of validation and lets train run up to there."""
    begins = 2418
    whole = pl.read_parquet(copied / FEATURES_FILE)
    labels, _ = _final_labels(copied)
    rewrite_json(copied, f"{SCALED}/split_config.json", lambda split: {**split, "kept": {**split["kept"], "train": [[0, begins - 5]]}})
    names = stored_scaler(copied).names
    part = whole.head(begins - 5)
    scaler = RobustScaler.fit(settled_matrix(part, names), names)
    values = scaler.apply(part.select(names).to_numpy())
    longer = (
        part.drop(names)
        .with_columns(pl.Series(n, values[:, i]) for i, n in enumerate(names))
        .hstack(labels.head(begins - 5).drop("datetime"))
    )
    rewrite_table(copied, f"{SCALED}/train_scaled.parquet", lambda frame: longer.select(frame.columns))
    scale_again(copied, scaler)
    found = errors_of(copied)
    assert "splits/overlap" in found


def _final_labels(workspace: Path) -> tuple[pl.DataFrame, Path]:
    path = workspace / "data/stages/MES/final_labels/table.parquet"
    return pl.read_parquet(path), path


@pytest.mark.parametrize(
    "disorder",
    [
        lambda frame: frame.sample(fraction=1.0, shuffle=True, seed=1),
        lambda frame: pl.concat([frame.head(50), frame.slice(49, 1), frame[50:]]),
        lambda frame: frame.reverse(),
    ],
    ids=["shuffled", "one row twice", "backwards"],
)
@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_leak_18_rows_that_are_not_in_the_order_of_time(name: str, disorder: Callable[[pl.DataFrame], pl.DataFrame], copied: Path) -> None:
    rewrite_table(copied, f"{SCALED}/{name}_scaled.parquet", disorder)
    assert "splits/order" in errors_of(copied)


def test_leak_18_a_row_of_validation_that_stands_in_train(copied: Path) -> None:
    stolen = table(copied, "val").head(1)
    rewrite_table(copied, f"{SCALED}/train_scaled.parquet", lambda frame: pl.concat([frame, stolen]))
    assert {"splits/order", "splits/overlap"} & set(errors_of(copied))


@pytest.mark.parametrize("name", ["train", "val"])
def test_leak_23_labels_taken_out_of_a_split_by_their_outcome(name: str, copied: Path) -> None:
    """Two minutes in five that ended in a loss are left unlabelled: the rest looks like a better market."""
    loss = (pl.col("return_h20") < 0) & (pl.int_range(pl.len()) % 5 < 2)
    columns = ("label_h20", "label_end_h20", "return_h20", "sample_weight_h20")
    rewrite_table(
        copied,
        f"{SCALED}/{name}_scaled.parquet",
        lambda frame: frame.with_columns(
            pl.when(loss.fill_null(False)).then(None).otherwise(pl.col(column)).alias(column) for column in columns
        ),
    )
    assert "datasets/labels" in errors_of(copied)


def test_labels_of_other_rows_in_a_split_are_found(copied: Path) -> None:
    """Joined one row off: each row has the outcome of the bar before."""
    columns = [column for column in table(copied, "train").columns if column.endswith("_h5")]
    rewrite_table(copied, f"{SCALED}/train_scaled.parquet", lambda frame: frame.with_columns(pl.col(columns).shift(1)))
    assert "datasets/labels" in errors_of(copied)


def test_the_tables_of_a_run_pass_as_tables_of_somebody_elses(market: SmallMarket) -> None:
    from barsmith.config_reading import load_settings
    from barsmith.validation.foreign_checks import check_foreign

    told = check_foreign(market.workspace / SCALED, load_settings(market.workspace).settings)
    assert (told["is_ready"], told["features"], told["horizons"]) == (True, market.run["features"], [5, 20])
