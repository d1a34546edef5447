"""Data sets that somebody else made, each with a planted leak that the tables alone must give away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from run_tables import FEATURES, honest_run, scaled, table

from barsmith.config_reading import settings_from
from barsmith.datasets.scaling import RobustScaler
from barsmith.errors import BarsmithError
from barsmith.validation.checks import settled_matrix
from barsmith.validation.foreign_checks import check_foreign

SETTINGS = settings_from(splits={"embargo_bars": 1300})
Tables = dict[str, pl.DataFrame]


def tables() -> Tables:
    """Train, val and test of the honest run, weeks apart."""
    run = honest_run()
    return {"train": run["train"], "val": run["val"], "test": scaled(table(30_000, 600, 3), run["scaler"])}


def left(folder: Path, parts: Tables, name: str = "{}.parquet") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in parts.items():
        part.write_parquet(folder / name.format(split))
    return folder


def errors(path: Path) -> dict[str, tuple[int, tuple[str, ...]]]:
    told = check_foreign(path, SETTINGS)
    found = {one["code"]: (one["rows"], tuple(one["columns"])) for one in told["findings"] if one["severity"] == "error"}
    assert told["is_ready"] == (not found)
    return found


def in_part(name: str, *columns: pl.Expr) -> Callable[[Tables], Tables]:
    return lambda parts: {**parts, name: parts[name].with_columns(*columns)}


def test_honest_tables_are_ready_and_what_cannot_be_seen_is_said(tmp_path: Path) -> None:
    told = check_foreign(left(tmp_path / "own", tables(), "{}_scaled.parquet"), SETTINGS)
    assert (told["is_ready"], told["rows"], told["horizons"], told["features"]) == (True, {"train": 2000, "val": 600, "test": 600}, [20], 5)
    assert [one["code"] for one in told["findings"]] == ["features/constant", "features/correlated"]
    assert "there are no minutes" in told["not_checked"][0]
    one_file = pl.concat([part.with_columns(split=pl.lit(name)) for name, part in tables().items()])
    one_file.write_parquet(tmp_path / "all.parquet")
    assert check_foreign(tmp_path / "all.parquet", SETTINGS)["findings"] == told["findings"]


def test_two_files_of_one_split_are_not_chosen_between(tmp_path: Path) -> None:
    folder = left(left(tmp_path, tables()), {"val": tables()["val"]}, "{}_scaled.parquet")
    with pytest.raises(BarsmithError, match=r"both val\.parquet and val_scaled\.parquet") as error:
        check_foreign(folder, SETTINGS)
    assert error.value.code == "datasets/files"


def other_scaler(parts: Tables) -> Tables:
    """Fitted on train and val, whose spread is another."""
    raw = {"train": table(0, 2000, 1), "val": table(20_000, 600, 2).with_columns(pl.col("spread") * 3 + 2)}
    matrix = np.concatenate([settled_matrix(part, FEATURES) for part in raw.values()])
    scaler = RobustScaler.fit(matrix, FEATURES)
    return {**parts, **{name: scaled(part, scaler) for name, part in raw.items()}}


def noisy(answer: pl.Expr, spread: float) -> pl.Expr:
    noise = np.random.default_rng(7).normal(0.0, spread, 2000)
    return answer + pl.Series("noise", noise)


PLANTED: dict[str, tuple[Callable[[Tables], Tables], str]] = {
    "13: the label as a feature": (in_part("train", pl.col("label_h20").cast(float).fill_null(0).alias("clock")), "datasets/answer"),
    "13: the return, squashed": (in_part("train", (pl.col("return_h20") * 500).tanh().fill_null(0).alias("clock")), "datasets/answer"),
    "13: the label with noise on it": (in_part("train", noisy(pl.col("label_h20").cast(float).fill_null(0), 0.5).alias("clock")), "datasets/answer"),
    "13: whether it times out, with noise": (in_part("train", noisy((pl.col("label_h20") == 0).cast(float).fill_null(0), 0.2).alias("clock")), "datasets/answer"),
    "13: the return with noise": (in_part("train", noisy(pl.col("return_h20").fill_null(0) * 1000, 0.3).alias("clock")), "datasets/answer"),
    "16: a scaler that has seen val": (other_scaler, "scaling/not-train"),
    "16: not scaled": (lambda parts: {**parts, "train": table(0, 2000, 1).with_columns(pl.col("spread") * 7)}, "scaling/not-train"),
    "17: a label that lives on in val": (
        in_part("train", pl.when(pl.int_range(pl.len()) == 1990).then(pl.lit(20_006 * 60_000_000).cast(pl.Datetime("us", "UTC"))).otherwise(pl.col("label_end_h20")).alias("label_end_h20")),
        "splits/overlap",
    ),
    "17: an embargo cut short": (lambda parts: {**parts, "val": scaled(table(10_100, 600, 2), honest_run()["scaler"])}, "splits/embargo"),
    "18: shuffled": (lambda parts: {**parts, "train": parts["train"].sample(fraction=1.0, shuffle=True, seed=1)}, "splits/order"),
    "18: a row twice": (lambda parts: {**parts, "val": pl.concat([parts["val"].head(1), parts["val"]])}, "splits/order"),
    "17: decisions moved behind their labels": (in_part("val", (pl.col("decision") + pl.duration(days=3)).alias("decision")), "splits/order"),
    "decided before the bar has ended": (in_part("val", pl.col("datetime").alias("decision")), "datasets/decision"),
    "not clipped": (in_part("val", pl.when(pl.int_range(pl.len()) == 7).then(80.0).otherwise(pl.col("spread")).alias("spread")), "scaling/not-clipped"),
    "NaN": (in_part("val", pl.when(pl.int_range(pl.len()) == 7).then(float("nan")).otherwise(pl.col("spread")).alias("spread")), "features/not-finite"),
    "a label that is none": (in_part("train", pl.when(pl.int_range(pl.len()) == 7).then(2).otherwise(pl.col("label_h20")).cast(pl.Int8).alias("label_h20")), "labels/value"),
    "an end before its decision": (in_part("val", (pl.col("decision") - pl.duration(minutes=1)).alias("label_end_h20")), "labels/end"),
    "a class that is not there": (in_part("train", pl.col("label_h20").replace(-1, 1)), "labels/class-missing"),
}  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_leak_is_found(planted: str, tmp_path: Path) -> None:
    plant, code = PLANTED[planted]
    honest, lying = left(tmp_path / "honest", tables()), left(tmp_path / "lying", plant(tables()))
    assert code not in errors(honest)
    assert code in errors(lying)


@pytest.mark.parametrize(
    ("answer", "disguised", "honest"),
    [("label_h20", pl.col("label_h20").cast(float), "0.17"), ("return_h20", pl.col("return_h20") * 1000, "0.22")],
)
def test_13_an_answer_in_disguise_is_a_suspicion_that_leaves_the_tables_ready(
    answer: str, disguised: pl.Expr, honest: str, tmp_path: Path
) -> None:
    """4,000 rows, two in five of them up and as many down, are 80 spans of 20 bars for each: enough to suspect."""
    raw = {"train": table(0, 4000, 1), "val": table(40_000, 600, 2)}
    scaler = RobustScaler.fit(settled_matrix(raw["train"], FEATURES), FEATURES)
    honest_ones = {name: scaled(part, scaler) for name, part in raw.items()}
    assert "datasets/answer-suspected" not in codes(left(tmp_path / "honest", honest_ones))
    noise = np.random.default_rng(7)
    mixed = {
        name: part.with_columns(clock=disguised.fill_null(0) + pl.Series(noise.normal(0, 1.4, len(part)))) for name, part in raw.items()
    }
    scaler = RobustScaler.fit(settled_matrix(mixed["train"], FEATURES), FEATURES)
    told = check_foreign(left(tmp_path / "mixed", {name: scaled(part, scaler) for name, part in mixed.items()}), SETTINGS)
    ((what, severity),) = [(one["what"], one["severity"]) for one in told["findings"] if one["code"] == "datasets/answer-suspected"]
    assert (severity, told["is_ready"]) == ("warning", True)
    assert f"clock may be made of {answer}" in what
    assert f"honest features of real bars come to {honest}" in what


def codes(path: Path) -> set[str]:
    return {one["code"] for one in check_foreign(path, SETTINGS)["findings"]}


def test_the_kept_features_are_those_that_train_chooses(tmp_path: Path) -> None:
    folder = left(tmp_path, tables())
    manifest = folder / "feature_set_manifest.json"
    manifest.write_text(json.dumps({"kept": ["momentum", "spread", "clock"]}))
    assert errors(folder) == {}
    manifest.write_text(json.dumps({"kept": ["momentum", "spread", "momentum_again", "clock"]}))
    assert errors(folder) == {"validation/selection-not-train": (0, ("momentum_again",))}
    manifest.write_text(json.dumps({"kept": ["momentum", "spread", "clock", "label_h20"]}))
    assert set(errors(folder)) == {"datasets/role", "validation/selection-not-train"}
    manifest.write_text('{"kept": "momentum"}')
    with pytest.raises(BarsmithError) as refused:
        errors(folder)
    assert (refused.value.code, refused.value.exit_code) == ("integrity/json", 6)


def test_without_splits_and_optional_columns_the_rest_is_checked_and_the_gap_is_said(tmp_path: Path) -> None:
    part = tables()["train"].drop("is_settled", "return_h20", "sample_weight_h20")[2:]
    part.write_parquet(tmp_path / "one.parquet")
    told = check_foreign(tmp_path / "one.parquet", SETTINGS)
    assert told["is_ready"]
    said = " ".join(told["not_checked"])
    assert all(word in said for word in ("there are no splits", "is_settled", "return_h20", "sample_weight_h20"))
    part.reverse().write_parquet(tmp_path / "one.parquet")
    assert set(errors(tmp_path / "one.parquet")) == {"splits/order"}


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (lambda t: t.drop("decision"), "datasets/schema", "without decision"),
        (lambda t: t.drop("label_end_h20"), "datasets/schema", "without label_end_h20"),
        (lambda t: t.drop("label_h20", "label_end_h20"), "datasets/schema", "label_h{H}"),
        (lambda t: t.drop(FEATURES), "datasets/schema", "features"),
        (lambda t: t.with_columns(pl.col("label_h20").cast(float)), "datasets/schema", "whole numbers"),
        (lambda t: t.with_columns(pl.col("datetime").dt.replace_time_zone(None)), "datasets/time", "UTC"),
        (lambda t: t.with_columns(pl.col("decision").dt.convert_time_zone("America/Chicago")), "datasets/time", "UTC"),
        (lambda t: t.with_columns(datetime=pl.lit(None).cast(pl.Datetime("us", "UTC"))), "datasets/time", "a time in every row"),
        (lambda t: t.head(0), "datasets/empty", "rows"),
        (lambda t: t.with_columns(is_settled=pl.lit(1)), "datasets/schema", "is_settled as true or false"),
        (lambda t: t.with_columns(sample_weight_h20=pl.lit("1")), "datasets/schema", "sample_weight_h20 as numbers"),
    ],
)
def test_a_table_of_another_schema_is_refused_with_what_is_wrong(
    change: Callable[[pl.DataFrame], pl.DataFrame], code: str, told: str, tmp_path: Path
) -> None:
    folder = left(tmp_path, {name: change(part) for name, part in tables().items()})
    with pytest.raises(BarsmithError) as refused:
        check_foreign(folder, SETTINGS)
    assert (refused.value.code, refused.value.exit_code) == (code, 3)
    assert told in str(refused.value)


def test_paths_that_hold_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    left(tmp_path / "train only", {"train": tables()["train"]})
    for name in ("text.parquet", "text.txt"):
        (tmp_path / name).write_text("datetime,open\n")
    (tmp_path / "torn.parquet").write_bytes((tmp_path / "train only" / "train.parquet").read_bytes()[:-100])
    tables()["train"].with_columns(split=pl.lit("learn")).write_parquet(tmp_path / "names.parquet")
    for name, code in (
        ("nowhere", "cli/path"),
        ("empty", "datasets/schema"),
        ("train only", "datasets/schema"),
        ("text.parquet", "datasets/format"),
        ("text.txt", "datasets/format"),
        ("torn.parquet", "integrity/mismatch"),
        ("names.parquet", "datasets/schema"),
    ):
        with pytest.raises(BarsmithError) as refused:
            check_foreign(tmp_path / name, SETTINGS)
        assert refused.value.code == code, name


def test_of_a_test_split_nothing_but_times_is_looked_at(tmp_path: Path) -> None:
    parts = tables()
    parts["test"] = parts["test"].with_columns(pl.lit(float("nan")).alias("spread"), pl.lit(9).cast(pl.Int8).alias("label_h20"))
    assert errors(left(tmp_path, parts)) == {}
