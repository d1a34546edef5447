"""A user's own Parquet files: taken as they are when they are sound, refused with a name when they are not, leaks included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import FEATURES, table

from barsmith.artifacts import write_parquet
from barsmith.bars.minutes import as_datetime
from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.scaling import RobustScaler
from barsmith.errors import BarsmithError, DataError, IntegrityError, UsageError

WHOLE = table(0, 200, seed=1)
LABELS = [name for name in WHOLE.columns if name.endswith("_h20")]
PARTS = {
    "train": WHOLE[:100],
    "val": WHOLE[120:150],
    "test": WHOLE[170:],
    "between": pl.concat([WHOLE[100:120], WHOLE[150:170]]).drop(LABELS),
}
from_parquet = TimeSeriesDataContainer.from_parquet
Change = Callable[[pl.DataFrame], pl.DataFrame]


def written(folder: Path, **changes: Change) -> Path:
    for name, frame in PARTS.items():
        changes.get(name, lambda f: f)(frame).write_parquet(folder / f"{name}.parquet")
    return folder


def refusal(folder: Path, features=FEATURES, horizon: int = 20, **more) -> BarsmithError:
    with pytest.raises(BarsmithError) as caught:
        from_parquet(folder, "MES", horizon, features=features, **more)
    return caught.value


def test_a_folder_of_sound_files_is_the_data_set_of_its_frames(tmp_path):
    found = from_parquet(written(tmp_path), "MES", 20, features=FEATURES)
    assert (len(found.train), len(found.val), len(found.open_test().test)) == (98, 30, 28)
    assert found.train.X.tolist() == WHOLE[2:100].select(FEATURES).to_numpy().astype(np.float32).tolist()
    seen = from_parquet(tmp_path, "MES", 20, features=FEATURES, reads="sequence", sequence_length=30)
    assert seen.val.X[0].tolist() == WHOLE[91:121].select(FEATURES).to_numpy().astype(np.float32).tolist()
    (tmp_path / "between.parquet").unlink()
    alone = from_parquet(tmp_path, "MES", 20, features=FEATURES, reads="sequence", sequence_length=30)
    assert alone.left_out["val"]["window_too_early"] == 29


def test_files_can_be_named_and_the_test_split_left_out(tmp_path):
    folder = written(tmp_path)
    found = from_parquet({"train": folder / "train.parquet", "val": str(folder / "val.parquet")}, "MES", 20, features=FEATURES)
    with pytest.raises(UsageError, match="with a test split"):
        found.open_test()
    assert refusal({"train": folder / "train.parquet"}).code == "datasets/files"
    assert refusal({"train": folder / "no.parquet", "val": folder / "val.parquet"}).code == "datasets/files"
    both = {"train": folder / "train.parquet", "val": folder / "val.parquet"}
    assert "one of 'validation'" in str(refusal(both | {"validation": folder / "val.parquet"}))
    assert refusal(tmp_path / "nowhere").code == "datasets/files"


def test_the_closed_test_file_is_not_read(tmp_path):
    found = from_parquet(written(tmp_path), "MES", 20, features=FEATURES)
    (tmp_path / "test.parquet").write_bytes(b"not even a file")
    assert len(from_parquet(tmp_path, "MES", 20, features=FEATURES).val) == 30
    with pytest.raises(IntegrityError):
        found.open_test()


def test_roles_in_the_file_name_the_features_and_without_them_nobody_guesses(tmp_path):
    roles = dict.fromkeys(FEATURES[:2], "feature")
    for name, frame in PARTS.items():
        write_parquet(tmp_path / f"{name}_scaled.parquet", frame, symbol="MES", roles=roles)
    assert from_parquet(tmp_path, "MES", 20).feature_names == FEATURES[:2]
    assert "both train.parquet and train_scaled.parquet" in str(refusal(written(tmp_path)))
    for name in PARTS:
        (tmp_path / f"{name}_scaled.parquet").unlink()
    error = refusal(tmp_path, features=None)
    assert (error.code, error.came) == ("datasets/role", "neither")


ROW_7 = pl.int_range(pl.len()) == 7


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda f: f.drop("rsi_14"), "datasets/columns", "one without rsi_14"),
        (lambda f: f.drop("is_settled"), "datasets/columns", "one without is_settled"),
        (lambda f: f.drop("label_end_h20"), "datasets/columns", "one without label_end_h20"),
        (lambda f: f.with_columns(rsi_14=pl.lit("high")), "datasets/columns", "rsi_14 of String"),
        (lambda f: f.with_columns(session_id=pl.when(ROW_7).then(None).otherwise("session_id")), "datasets/columns", "without session_id"),
        (lambda f: f.reverse(), "datasets/order", "99 steps back or in place"),
        (lambda f: pl.concat([f, f[-1:]]), "datasets/order", "1 steps back or in place"),
        (lambda f: f.with_columns(pl.col("datetime").dt.replace_time_zone(None)), "datasets/time", "datetime of Datetime"),
        (lambda f: f.with_columns(pl.col("datetime").dt.convert_time_zone("America/Chicago")), "datasets/time", "America/Chicago"),
        (lambda f: f.with_columns(pl.col("decision").dt.offset_by("30s")), "datasets/time", "decision with seconds"),
        (lambda f: f.with_columns(datetime=pl.when(ROW_7).then(None).otherwise("datetime")), "datasets/time", "missing in 1 rows"),
        (lambda f: f.with_columns(datetime=pl.int_range(pl.len())), "datasets/time", "datetime of Int64"),
        (lambda f: f.with_columns(label_h20=pl.when(ROW_7).then(2).otherwise("label_h20")), "datasets/labels", "1 labels other than"),
        (lambda f: f.with_columns(label_h20=pl.when(ROW_7).then(0.5).otherwise("label_h20")), "datasets/labels", "1 labels other than"),
        (lambda f: f.with_columns(label_end_h20="decision"), "datasets/labels", "100 labels that are known before"),
        (lambda f: f.with_columns(decision="datetime"), "datasets/labels", "100 bars that end before"),
        (lambda f: f.with_columns(return_h20=pl.lit(float("inf"))), "datasets/labels", "returns that are not finite"),
        (lambda f: f.with_columns(sample_weight_h20=pl.lit(0.0)), "datasets/labels", "weights that are not"),
        (lambda f: f.with_columns(sample_weight_h20=pl.lit(None, pl.Float64)), "datasets/labels", "without their end, return or weight"),
        (lambda f: f.with_columns(rsi_14=pl.when(ROW_7).then(float("inf")).otherwise("rsi_14")), "datasets/infinite", "1 infinite ones"),
        (lambda f: f.with_columns(symbol=pl.lit("MGC")), "datasets/symbol", "rows of MGC"),
        (lambda f: f.with_columns(is_settled=False), "datasets/empty", "100 of them unsettled"),
        (lambda f: f[:0], "datasets/empty", "0 rows"),
    ],
)
def test_a_table_that_is_not_what_it_must_be_is_refused_with_its_case(change, code, words, tmp_path):
    error = refusal(written(tmp_path, train=change))
    assert isinstance(error, DataError)
    assert error.code == code
    assert words in str(error).replace("\n", " ")


def test_the_same_checks_meet_the_test_split_when_it_is_opened(tmp_path):
    found = from_parquet(written(tmp_path, test=lambda f: f.with_columns(label_h20=pl.lit(3))), "MES", 20, features=FEATURES)
    with pytest.raises(DataError, match="labels other than -1"):
        found.open_test()


def test_a_file_of_another_symbol_or_with_a_column_twice_is_refused(tmp_path):
    write_parquet(written(tmp_path) / "val.parquet", PARTS["val"], symbol="MGC")
    assert refusal(tmp_path).code == "datasets/symbol"
    arrow = PARTS["train"].to_arrow()
    twice = pa.Table.from_arrays([*arrow.columns, arrow["rsi_14"]], names=[*arrow.column_names, "rsi_14"])
    pq.write_table(twice, written(tmp_path) / "train.parquet")
    error = refusal(tmp_path)
    assert error.code in ("datasets/columns", "integrity/mismatch")
    assert "rsi_14" in str(error)


@pytest.mark.parametrize("leak", LABELS)
def test_leak_13_an_answer_by_its_own_name(leak, tmp_path):
    error = refusal(written(tmp_path), features=(*FEATURES, leak))
    assert (error.code, leak in str(error)) == ("datasets/role", True)


@pytest.mark.parametrize(
    ("leak", "answer"),
    [
        (pl.col("label_h20").cast(pl.Float64), "label_h20"),
        (-pl.col("label_h20").cast(pl.Float64) * 3 + 7, "label_h20"),
        ((pl.col("return_h20") * 900).tanh(), "return_h20"),
        (pl.col("sample_weight_h20").log(), "sample_weight_h20"),
        ((pl.col("label_h20") == 1).cast(pl.Int8), "label_h20"),
        ((pl.col("label_h20") == 0).cast(pl.Int8), "label_h20 = 0"),
    ],
)
def test_leak_13_an_answer_under_an_innocent_name(leak, answer, tmp_path):
    folder = written(tmp_path, **{name: lambda f: f.with_columns(slope_1h=leak.fill_null(0)) for name in ("train", "val", "test")})
    error = refusal(folder)
    assert error.code == "datasets/answer"
    assert f"slope_1h, which says what {answer} says (likeness" in str(error)


def test_leak_16_a_scaler_fitted_on_more_than_train(tmp_path):
    """The folder says with which scaler it was made; only one that was fitted on train leaves it centred."""
    for rows, honest in ((range(2, 100), True), (range(2, 150), False), (range(2, 200), False)):
        scaler = RobustScaler.fit(WHOLE[list(rows)].select(FEATURES).to_numpy(), FEATURES)

        def scaled(frame: pl.DataFrame, scaler: RobustScaler = scaler) -> pl.DataFrame:
            values = scaler.apply(frame.select(FEATURES).to_numpy())
            return frame.with_columns(pl.Series(name, values[:, j]) for j, name in enumerate(FEATURES))

        written(tmp_path, **dict.fromkeys(PARTS, scaled))
        (tmp_path / "feature_scaler.json").write_text(scaler.to_json())
        if honest:
            from_parquet(tmp_path, "MES", 20, features=FEATURES)
        else:
            error = refusal(tmp_path)
            assert (error.code, "3 of 3" in str(error)) == ("scaling/not-train", True)
    (tmp_path / "feature_scaler.json").write_text("{}")
    assert refusal(tmp_path).code == "datasets/scaler-file"


def test_leak_17_a_label_that_lives_on_in_the_next_split(tmp_path):
    begins = PARTS["val"]["decision"][0]
    late = pl.when(pl.int_range(pl.len()) == 97).then(begins).otherwise("label_end_h20")
    assert refusal(written(tmp_path, train=lambda f: f.with_columns(label_end_h20=late))).code == "datasets/overlap"
    later = pl.when(pl.int_range(pl.len()) == 20).then(PARTS["test"]["decision"][0]).otherwise("label_end_h20")
    found = from_parquet(written(tmp_path, val=lambda f: f.with_columns(label_end_h20=later)), "MES", 20, features=FEATURES)
    with pytest.raises(DataError, match="every label of val known before test begins"):
        found.open_test()


def test_leak_18_shuffled_rows(tmp_path):
    assert refusal(written(tmp_path, val=lambda f: f.sample(fraction=1.0, shuffle=True, seed=1))).code == "datasets/order"


def test_rows_of_the_test_split_as_context_are_refused_when_it_opens(tmp_path):
    folder = written(tmp_path, between=lambda f: pl.concat([f, PARTS["test"][:3].drop(LABELS)]))
    with pytest.raises(DataError, match="datasets|order of time"):
        from_parquet(folder, "MES", 20, features=FEATURES).open_test()


def bars(n: int, step: int) -> pl.DataFrame:
    close = 100.0 + np.arange(n) % 7
    times = {"datetime": as_datetime(step * np.arange(n))}
    return pl.DataFrame(times | {"open": close, "high": close + 1, "low": close - 1, "close": close})


def test_rungs_come_from_a_folder_of_bars(tmp_path):
    folder = written(tmp_path)
    bars(1000, 1).write_parquet(tmp_path / "1m.parquet")
    bars(200, 5).with_columns(decision=pl.col("datetime").dt.offset_by("5m")).write_parquet(tmp_path / "5m.parquet")
    about = {"features": FEATURES, "reads": "multires", "multires_length": 3, "multires_timeframes": ("1m", "5m")}
    found = from_parquet(folder, "MES", 20, rungs=tmp_path, **about)
    decision = int(found.train.decision[10])
    close = 100.0 + np.arange(decision - 3, decision) % 7
    assert found.train.X[10, 0, :, 3].tolist() == (close / close[-1] - 1).astype(np.float32).tolist()
    assert refusal(folder, **about | {"multires_timeframes": ("1m", "15m")}, rungs=tmp_path).code == "datasets/files"
    for change, code in (
        (lambda f: f.with_columns(contract=pl.int_range(pl.len()) // 500), "datasets/rolls"),
        (lambda f: f.with_columns(close=-pl.col("close")), "datasets/prices"),
        (lambda f: f.drop("low"), "datasets/columns"),
        (lambda f: f.reverse(), "datasets/order"),
    ):
        change(bars(1000, 1)).write_parquet(tmp_path / "1m.parquet")
        assert refusal(folder, rungs=tmp_path, **about).code == code
    rolled = bars(1000, 1).with_columns(contract=pl.int_range(pl.len()) // 500, roll_factor=pl.lit(2.0))
    rolled.write_parquet(tmp_path / "1m.parquet")
    again = from_parquet(folder, "MES", 20, rungs=tmp_path, **about)
    assert np.allclose(again.train.X, found.train.X, atol=1e-7)
