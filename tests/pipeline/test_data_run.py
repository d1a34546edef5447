"""The whole data pipeline on a small simulated market: cached, recomputed, resumed, refused, and the same bytes every time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from barsmith.artifacts import verify
from barsmith.bars.simulated_files import write_simulated
from barsmith.datasets.scaling import RobustScaler
from barsmith.errors import BusyError, DataError, UsageError
from barsmith.pipeline.api import rerun, run, status
from barsmith.pipeline.run_data import load_run_data
from barsmith.pipeline.stages import STAGE_NAMES
from barsmith.pipeline.store import Store
from small_market import FEATURES, SmallMarket

Record = dict[str, Any]


def again(workspace: Path, *overrides: str) -> Record:
    return run(workspace, symbol="MES", overrides=overrides)


def done_in(record: Record) -> tuple[str, ...]:
    """The stages that were computed, in order."""
    assert {stage["status"] for stage in record["stages"]} <= {"done", "cached"}
    return tuple(stage["name"] for stage in record["stages"] if stage["status"] == "done")


def artifacts(workspace: Path) -> dict[str, bytes]:
    """Every data file but those that hold a duration or a process id."""
    files = (path for path in (workspace / "data").rglob("*") if path.is_file() and path.name not in ("state.json", "lock", "lock.pid"))
    return {str(path.relative_to(workspace)): path.read_bytes() for path in files}


def from_(stage: str) -> tuple[str, ...]:
    return STAGE_NAMES[STAGE_NAMES.index(stage) :]


def test_a_run_leaves_what_the_design_says_where_it_says(market: SmallMarket) -> None:
    folders = {
        "data/processed/MES": {"1m.parquet", "5m.parquet", "15m.parquet", "1h.parquet"},
        "data/features/MES": {"features.parquet"},
        "data/splits/scaled/MES": {
            "train_scaled.parquet",
            "val_scaled.parquet",
            "test_scaled.parquet",
            "between_scaled.parquet",
            "feature_scaler.json",
            "split_config.json",
        },
        f"runs/{market.run['run_id']}": {
            "config",
            "logs",
            "pipeline_state.json",
            "made_of.json",
            "manifest.json",
            "feature_set_manifest.json",
            "dataset_manifest.json",
            "tuning_manifest.json",
        },
        "results": {f"{market.run['run_id']}.md", f"{market.run['run_id']}.html"},
    }
    assert {folder: {path.name for path in (market.workspace / folder).iterdir()} for folder in folders} == folders
    assert [stage["name"] for stage in market.run["stages"]] == list(STAGE_NAMES)
    manifest = json.loads((market.workspace / "runs" / market.run["run_id"] / "manifest.json").read_bytes())
    files = {name: record for stage in manifest["stages"].values() for name, record in stage["files"].items()} | manifest["results"]
    verify(market.workspace, files)
    assert set(artifacts(market.workspace)) - {"data/raw/MES_1m.parquet", "data/raw/MES_truth.parquet"} == set(files) - set(
        manifest["results"]
    )


def test_the_splits_are_those_of_the_arithmetic(market: SmallMarket) -> None:
    """12 sessions of 23 hours: 12 * 276 = 3312 base bars."""
    frame = pl.read_parquet(market.workspace / "data/features/MES/features.parquet")
    assert len(frame) == 3312
    a, b = 2318, 2815  # floor(0.7 * 3312), floor(0.85 * 3312)
    assert market.run["splits"] == {"train": a - 60, "val": b - 60 - (a + 100), "test": 3312 - (b + 100)}
    for name, first in (("train", 0), ("val", a + 100), ("test", b + 100)):
        part = pl.read_parquet(market.workspace / f"data/splits/scaled/MES/{name}_scaled.parquet")
        assert part["datetime"].equals(frame["datetime"][first : first + len(part)])


def test_the_scaler_is_that_of_the_settled_train_rows(market: SmallMarket) -> None:
    data = load_run_data(market.workspace, "MES")
    frame = pl.read_parquet(market.workspace / "data/features/MES/features.parquet")
    mine = frame.head(market.run["splits"]["train"]).filter("is_settled")
    scaler = data.scaler_of(["rsi_14", "bar_range"])
    for name, median, iqr in zip(("rsi_14", "bar_range"), scaler.median, scaler.iqr, strict=True):
        low, middle, high = (mine[name].quantile(q, "linear") for q in (0.25, 0.5, 0.75))
        assert (middle, high - low) == pytest.approx((median, iqr))
    assert set(FEATURES) <= set(frame.columns)
    assert isinstance(scaler, RobustScaler)


def test_a_run_without_a_change_is_cached_from_end_to_end(copied: Path) -> None:
    before, marks = artifacts(copied), {path: path.stat().st_mtime_ns for path in (copied / "data").rglob("*.parquet")}
    record = again(copied)
    assert done_in(record) == ()
    assert artifacts(copied) == before
    assert marks == {path: path.stat().st_mtime_ns for path in (copied / "data").rglob("*.parquet")}


@pytest.mark.parametrize(
    ("override", "computed"),
    [
        ("labels.k_up=2.5", from_("labeling")),
        ("barriers={MES: {k_up: 2.5, k_down: 2.5}}", from_("labeling")),
        ("splits.embargo_bars=110", ("regime", "mtf", *from_("ga_optimize"))),
        ("scaling.clip=4.0", from_("scaling")),
        ("validation.max_correlation=0.9", from_("validation")),
        ("verdict.default.auc_macro=0.9", ()),
        ("random_seed=7", ("regime", "mtf", *from_("ga_optimize"))),
        ("symbol=MES", ()),
    ],
)
def test_a_changed_setting_is_felt_from_the_first_stage_that_reads_it(override: str, computed: tuple[str, ...], copied: Path) -> None:
    assert done_in(again(copied, override)) == computed
    assert done_in(again(copied, override)) == ()


def test_settings_taken_back_give_the_earlier_bytes_back(copied: Path) -> None:
    before = artifacts(copied)
    again(copied, "labels.k_up=2.5")
    assert artifacts(copied) != before
    assert done_in(again(copied)) == from_("labeling")
    assert artifacts(copied) == before


def test_one_changed_price_in_the_raw_file_is_felt_by_all(copied: Path) -> None:
    path = copied / "data/raw/MES_1m.parquet"
    bars = pl.read_parquet(path)
    last = pl.int_range(pl.len()) == len(bars) - 1
    bars.with_columns(high=pl.when(last).then(pl.col("high") + 0.25).otherwise("high")).write_parquet(path)
    assert done_in(again(copied)) == STAGE_NAMES


@pytest.mark.parametrize("change", ["flipped", "deleted", "emptied"])
@pytest.mark.parametrize(
    ("file", "stage"), [("data/features/MES/features.parquet", "mtf"), ("data/splits/scaled/MES/feature_scaler.json", "scaling")]
)
def test_an_artifact_that_was_changed_is_made_again_and_nothing_else(file: str, stage: str, change: str, copied: Path) -> None:
    before = artifacts(copied)
    path = copied / file
    whole = path.read_bytes()
    if change == "deleted":
        path.unlink()
    else:
        path.write_bytes(b"" if change == "emptied" else whole[:99] + bytes([whole[99] ^ 1]) + whole[100:])
    assert done_in(again(copied)) == (stage,)
    assert artifacts(copied) == before


def test_another_folder_zone_language_and_hash_seed_give_the_same_bytes(market: SmallMarket, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copytree(market.workspace / "data/raw", tmp_path / "data/raw")
    shutil.copytree(market.workspace / "config", tmp_path / "config")
    program = f"from barsmith.pipeline.api import run; run({str(tmp_path)!r})"
    elsewhere = {
        **os.environ,
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "123",
        "POLARS_MAX_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
    }
    subprocess.run([sys.executable, "-c", program], env=elsewhere, capture_output=True, check=True, cwd="/")
    assert artifacts(tmp_path) == artifacts(market.workspace)


DIES = """
import os, signal, sys
from pathlib import Path
from barsmith.pipeline import store
from barsmith.pipeline.api import run
write, left = store.Store._write, int(sys.argv[3])
def dying(self, path, *rest):
    global left
    if f"/{sys.argv[2]}" in str(path):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return write(self, path, *rest)
store.Store._write = dying
run(sys.argv[1], symbol="MES", overrides=["labels.k_up=2.5", "ingest.repair=true"])
"""


@pytest.mark.parametrize(
    ("file", "left"),
    [("clean/", 0), ("features.parquet", 0), ("test_scaled.parquet", 0), ("reporting/", 1)],
)
def test_a_killed_run_is_resumed_and_ends_like_an_undisturbed_one(
    file: str, left: int, copied: Path, undisturbed: dict[str, bytes]
) -> None:
    """Killed while it overwrites the earlier results of other settings, between two files of one stage."""
    killed = subprocess.run([sys.executable, "-c", DIES, str(copied), file, str(left)], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with pytest.raises(DataError) as refused:
        load_run_data(copied, "MES")  # neither the old data nor the new
    assert refused.value.code == "data/not-run"
    record = again(copied, "labels.k_up=2.5", "ingest.repair=true")
    assert 0 < len(done_in(record)) < len(STAGE_NAMES) or file == "clean/"
    assert artifacts(copied) == undisturbed


@pytest.fixture(scope="module")
def undisturbed(market: SmallMarket, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    workspace = shutil.copytree(market.workspace, tmp_path_factory.mktemp("undisturbed") / "copy")
    again(workspace, "labels.k_up=2.5", "ingest.repair=true")
    return artifacts(workspace)


def test_a_run_whose_stage_fails_is_told_and_the_next_one_goes_on(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = artifacts(copied)

    def broken(*args: object, **kwargs: object) -> None:
        raise DataError("test/planted", expected="no fault", came="a planted one", do="take it out")

    with monkeypatch.context() as patch:
        patch.setattr(RobustScaler, "fit", broken)
        with pytest.raises(DataError, match="a planted one"):
            again(copied, "labels.k_up=2.5")
    failed = max(path.name for path in (copied / "runs").iterdir())
    told = status(copied, failed)
    assert (told["status"], told["error"]["code"]) == ("failed", "test/planted")
    assert [stage["status"] for stage in told["stages"]] == ["cached"] * 6 + ["done"] * 4 + ["failed"] + ["pending"] * 3
    with pytest.raises(DataError) as refused:
        load_run_data(copied, "MES")
    assert refused.value.code == "data/not-run"
    assert refused.value.came.endswith(f"run {failed} has not finished")
    assert done_in(again(copied)) == ("labeling", "ga_optimize", "final_labels", "splits")  # the later ones' earlier results still stand
    assert artifacts(copied) == before


def test_a_run_refused_at_its_first_stage_leaves_the_data_of_the_last_one(copied: Path) -> None:
    before, path = artifacts(copied), copied / "data/raw/MES_1m.parquet"
    pl.read_parquet(path).with_columns(low=pl.col("high") + 1).write_parquet(path)
    with pytest.raises(DataError):
        again(copied)
    before["data/raw/MES_1m.parquet"] = path.read_bytes()
    assert artifacts(copied) == before
    assert load_run_data(copied, "MES").run_id == min(path.name for path in (copied / "runs").iterdir())


def test_data_of_which_a_stage_was_made_alone_is_of_no_run_and_is_told_so(copied: Path, market: SmallMarket) -> None:
    alone = run(copied, symbol="MES", overrides=["labels.k_up=2.5"], only="labeling")
    with pytest.raises(DataError) as refused:
        load_run_data(copied, "MES")
    assert (refused.value.code, refused.value.came) == ("data/not-run", f"labeling remade alone by run {alone['run_id']}")
    assert "`barsmith run --symbols MES`" in refused.value.do
    assert f"`barsmith rerun {market.run['run_id']}`" in refused.value.do
    assert done_in(rerun(copied, market.run["run_id"])) == ("labeling",)
    assert load_run_data(copied, "MES").run_id > alone["run_id"]


def test_two_runs_at_once_are_one_run_and_one_that_is_told_who_is_at_work(copied: Path) -> None:
    runs = sorted(path.name for path in (copied / "runs").iterdir())
    with Store(copied, "MES").locked():
        with pytest.raises(BusyError) as refused:
            again(copied)
        assert (refused.value.exit_code, f"(pid {os.getpid()})" in refused.value.came) == (4, True)
        command = [sys.executable, "-m", "barsmith", "--json", "run", "--symbols", "MES", "--workspace", str(copied)]
        told = subprocess.run(command, capture_output=True, check=False)
        assert (told.returncode, json.loads(told.stdout)["error"]["code"]) == (4, "lock/busy")
    assert sorted(path.name for path in (copied / "runs").iterdir()) == runs
    assert done_in(again(copied)) == ()


def test_a_rerun_has_the_settings_of_its_run(copied: Path) -> None:
    first = again(copied, "labels.k_up=2.5")
    again(copied)
    record = rerun(copied, first["run_id"])
    assert done_in(record) == from_("labeling")
    assert record["run_id"] != first["run_id"]
    assert load_run_data(copied, "MES").settings.labels.k_up == 2.5


@pytest.mark.parametrize("stage", ["labeling", "reporting", "ingest"])
def test_a_rerun_from_a_stage_computes_it_and_all_later_ones_to_the_same_bytes(stage: str, copied: Path, market: SmallMarket) -> None:
    before = artifacts(copied)
    assert done_in(rerun(copied, market.run["run_id"], stage)) == from_(stage)
    assert artifacts(copied) == before


def test_a_rerun_of_what_is_not_there_is_refused(copied: Path, market: SmallMarket) -> None:
    cases = {
        ("20200101-000000-MES", None): "run/not-found",
        ("../x", None): "config/name",
        (market.run["run_id"], "labelling"): "run/stage",
        (market.run["run_id"], "calendar"): "run/stage",
    }
    for (run_id, stage), code in cases.items():
        with pytest.raises(UsageError) as refused:
            rerun(copied, run_id, stage)
        assert refused.value.code == code
    (copied / "config/pipeline.yaml").write_text("random_seed: 3")
    with pytest.raises(UsageError) as refused:
        rerun(copied, market.run["run_id"])
    assert refused.value.code == "config/changed"
    assert "random_seed 42 -> 3" in refused.value.came


def test_the_status_of_a_run_is_what_it_printed(market: SmallMarket) -> None:
    told = status(market.workspace, market.run["run_id"])
    assert (told["status"], told["error"], told["symbol"]) == ("done", None, "MES")
    assert [{key: stage[key] for key in ("name", "status", "seconds", "rows", "peak_mib")} for stage in told["stages"]] == market.run[
        "stages"
    ]


def test_a_second_symbol_lives_in_folders_of_its_own(copied: Path) -> None:
    before = artifacts(copied)
    write_simulated(copied, "MGC", days=12, seed=6, edge=0.0, paths=0)
    with pytest.raises(UsageError, match="MES, MGC") as refused:
        run(copied)
    assert refused.value.code == "cli/symbol"
    run(copied, symbol="MGC")
    after = artifacts(copied)
    assert {name: after[name] for name in before} == before
    assert {name.replace("MGC", "MES") for name in set(after) - set(before)} == set(before)
    assert done_in(again(copied)) == ()
    shutil.copy(copied / "data/features/MGC/features.parquet", copied / "data/features/MES/features.parquet")
    assert done_in(again(copied)) == ("mtf",)
