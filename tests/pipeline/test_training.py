"""`train` on the small simulated market: what it leaves, and what happens when things go wrong."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from training_calls import FILES, files_of, refusal, runs_of, trained

from barsmith.artifacts import parse_json, read_parquet, read_sealed, verify
from barsmith.bars.minutes import as_minutes
from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.errors import BusyError, IntegrityError, StorageError, UsageError
from barsmith.ledger import Ledger
from barsmith.models import ModelRegistry, load_model, predict_model
from barsmith.pipeline import training as training_module
from barsmith.pipeline import training_folder
from barsmith.pipeline.api import run, train
from barsmith.pipeline.run_data import load_run_data
from barsmith.pipeline.store import Store
from small_market import MODEL, SmallMarket

# what it leaves


def test_a_training_leaves_the_folder_of_the_specification(market: SmallMarket) -> None:
    folder = market.training.run_dir
    assert folder.parent == market.workspace / "experiments" / "runs"
    assert folder.name.startswith("xgboost_MES_h20_2")
    assert set(files_of(folder)) == FILES
    manifest = read_sealed(folder / "manifest.json")
    assert set(manifest["files"]) == FILES - {"manifest.json"}
    verify(folder, manifest["files"])
    assert {key: manifest[key] for key in ("model", "family", "symbol", "horizon")} == {
        "model": "xgboost",
        "family": "boosting",
        "symbol": "MES",
        "horizon": 20,
    }


def test_its_metrics_are_strict_json_and_what_the_call_returned(market: SmallMarket) -> None:
    told = parse_json((market.training.run_dir / "metrics/training_metrics.json").read_bytes(), "")
    assert told == json.loads(json.dumps(market.training.as_dict()))
    assert set(told["baselines"]) == {"majority", "train_frequencies", "last_direction", "time_of_day"}
    assert {"accuracy", "f1_macro", "log_loss", "brier", "ece", "auc_timing", "auc_direction"} <= set(told["metrics"]["val"])


def test_its_predictions_are_those_of_the_model_in_the_folder(market: SmallMarket) -> None:
    frame, about = read_parquet(market.training.run_dir / "predictions/val_predictions.parquet", symbol="MES")
    assert about["symbol"] == "MES"
    model = load_model(market.training.run_dir / "checkpoints/best_model", feature_names=market.training.container.feature_names)
    val = load_run_data(market.workspace, "MES").container(20).val
    output = predict_model(model, val.X)
    found = frame.select("prob_short", "prob_neutral", "prob_long").to_numpy()
    assert found.tobytes() == np.ascontiguousarray(output.probabilities).tobytes()
    assert frame["signal"].to_list() == output.signal.tolist()
    assert frame["confidence"].to_numpy().tobytes() == output.confidence.tobytes()
    assert frame["y_true"].to_list() == val.y.tolist()
    assert [as_minutes(frame[name]).tolist() for name in ("datetime", "decision", "label_end")] == [
        getattr(val, name).tolist() for name in ("datetime", "decision", "label_end")
    ]


def test_both_importances_of_every_kept_feature_are_written(market: SmallMarket) -> None:
    names, val = market.training.container.feature_names, market.training.container.val
    table = pl.read_csv(market.training.run_dir / "metrics/feature_importance.csv")
    assert sorted(table["feature"]) == sorted(names)
    assert table["importance"].is_sorted(descending=True)
    assert table["importance"].sum() == pytest.approx(1.0)
    assert (table["permutation_low"] <= table["permutation_high"]).all()
    told = json.loads((market.training.run_dir / "metrics/importance.json").read_bytes())
    assert (told["rows"], told["of"], told["shuffles"]) == (len(val), len(val), 3)
    assert told["own"] == market.training.model.get_feature_importance()
    assert told["own_is"] == "Share of the total gain of all splits on the feature."
    by_name = {one["feature"]: one for one in told["permutation"]}
    assert set(by_name) == set(names)
    assert [by_name[name]["worse_by"] for name in table["feature"]] == table["permutation"].to_list()
    unused = [name for name, share in told["own"].items() if share == 0.0]
    assert unused
    assert all(by_name[name]["worse_by"] == 0.0 for name in unused)


def test_the_same_seed_gives_the_same_bytes_but_for_times(copied: Path, market: SmallMarket) -> None:
    one, two = files_of(market.training.run_dir), files_of(trained(copied).run_dir)
    timed = {"manifest.json", "metrics/training_metrics.json", "plots/report.html"}
    assert {name: data for name, data in one.items() if name not in timed} == {
        name: data for name, data in two.items() if name not in timed
    }
    told = [json.loads(files["metrics/training_metrics.json"]) for files in (one, two)]
    for each in told:
        del each["run_dir"], each["seconds"]
        each["training"].pop("seconds", None)
    assert told[0] == told[1]


def test_another_seed_gives_another_model(copied: Path, market: SmallMarket) -> None:
    run(copied, symbol="MES", overrides=["random_seed=7"])
    again = trained(copied)
    assert again.data.settings.random_seed == 7
    model = "checkpoints/best_model/booster.json"
    assert (again.run_dir / model).read_bytes() != (market.training.run_dir / model).read_bytes()


# the ledger


def test_every_configuration_is_counted_once_and_the_verdict_says_how_many(copied: Path) -> None:
    assert Ledger(copied).trials("MES", 20) == 1
    assert trained(copied).verdict.trials == 1
    assert trained(copied, "training.max_depth=2").verdict.trials == 2
    last = trained(copied, "training.max_depth=2")
    assert "2 configurations have been scored here" in last.verdict.sentence
    assert trained(copied, horizon=5).verdict.trials == 1
    assert [entry["event"] for entry in Ledger(copied).entries()] == ["scored"] * 5


# models


ROW_BY_ROW = """
import numpy as np
from barsmith.models import BaseModel, PredictionOutput, TrainingMetrics, register

@register(name="mine", family="classical")
class Mine(BaseModel):
    def fit(self, X_train, y_train, X_val, y_val):
        self.middle = X_train.mean(axis=0)
        return TrainingMetrics(history={"train": [1.0]})

    def predict(self, X):
        up = 1 / (1 + np.exp(-(X - MIDDLE)[:, 0].astype(float)))
        return PredictionOutput.of(np.column_stack((0.5 - up / 2, np.full(len(X), 0.5), up / 2)))
"""


def test_a_model_in_the_workspace_is_found_trained_and_read_back(copied: Path) -> None:
    (copied / "models").mkdir()
    (copied / "models" / "mine.py").write_text(ROW_BY_ROW.replace("MIDDLE", "self.middle"))
    told = train(copied, model="mine")
    again = load_model(told.run_dir / "checkpoints/best_model")
    val = told.container.val
    assert predict_model(again, val.X).probabilities.tobytes() == told.splits["val"].output.probabilities.tobytes()
    code = json.loads((told.run_dir / "config/features.json").read_bytes())["model_code"]
    assert [entry["path"] for entry in code] == ["models/mine.py"]


def test_a_model_whose_answer_depends_on_the_rows_beside_it_is_refused(copied: Path) -> None:
    (copied / "models").mkdir()
    (copied / "models" / "mine.py").write_text(ROW_BY_ROW.replace("MIDDLE", "X.mean(axis=0)"))
    assert refusal(lambda: train(copied, model="mine")).code == "models/row-dependence"


def test_a_model_that_learns_from_the_first_rows_it_is_asked_for_is_refused(copied: Path) -> None:
    """Planted leak 20: those are the rows that are reported, and afterwards every row alone gets the same answer as among others."""
    adapts = 'if not hasattr(self, "asked"):\n            self.asked, self.middle = True, X.mean(axis=0)\n        up ='
    (copied / "models").mkdir()
    (copied / "models" / "mine.py").write_text(ROW_BY_ROW.replace("MIDDLE", "self.middle").replace("up =", adapts, 1))
    before, trials = runs_of(copied), Ledger(copied).trials("MES", 20)
    assert refusal(lambda: train(copied, model="mine")).code == "models/row-dependence"
    assert (runs_of(copied), Ledger(copied).trials("MES", 20)) == (before, trials)


def test_logistic_regression_is_trained_the_same_way(copied: Path) -> None:
    told = train(copied, model="logistic")
    assert set(files_of(told.run_dir)) - {"checkpoints/best_model/model.json"} >= FILES - {"checkpoints/best_model/booster.json"} - {
        "checkpoints/best_model/model.json"
    }
    assert told.verdict.trials == 2


def test_what_cannot_be_trained_is_refused_before_anything_is_left(copied: Path, tmp_path: Path) -> None:
    before = runs_of(copied)
    cases: dict[str, Callable[[], object]] = {
        "data/not-run": lambda: train(tmp_path, model="xgboost", symbol="MES"),
        "datasets/columns": lambda: trained(copied, horizon=7),
        "config/unknown-name": lambda: train(copied, model="xgbost"),
        "config/unknown-param": lambda: trained(copied, "training.depth=3"),
        "config/out-of-range": lambda: trained(copied, "training.max_depth=0"),
        "config/device": lambda: train(copied, model="logistic", overrides=["device.use_gpu=true"]),
    }
    assert {code: refusal(call).code for code, call in cases.items()} == {code: code for code in cases}
    assert runs_of(copied) == before
    assert Ledger(copied).trials("MES", 20) == 1


# when things go wrong


def test_a_disk_that_refuses_at_the_end_leaves_no_half_a_folder(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = runs_of(copied)

    def full(*args: object, **keywords: object) -> None:
        raise StorageError("io/no-space", expected="to write", came="no space", do="make some")

    monkeypatch.setattr(training_folder, "write_sealed", full)
    assert refusal(lambda: trained(copied)).code == "io/no-space"
    assert runs_of(copied) == before


DIES = f"""
import os, signal, sys
from barsmith.pipeline import training_folder
from barsmith.pipeline.api import train
def die(*args, **keywords): os.kill(os.getpid(), signal.SIGKILL)
training_folder.{{point}} = die
train(sys.argv[1], model="xgboost", overrides={list(MODEL)!r})
"""


@pytest.mark.parametrize("point", ["save_model", "write_sealed"])
def test_a_killed_training_leaves_nothing_that_looks_like_one_and_the_next_is_the_same(
    point: str, copied: Path, market: SmallMarket
) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES.format(point=point), str(copied)], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    finished = [path.parent for path in (copied / "experiments" / "runs").glob("*/manifest.json")]
    assert [path.name for path in finished if not path.name.startswith(".")] == [market.training.run_dir.name]
    again = trained(copied)
    name = "predictions/val_predictions.parquet"
    assert (again.run_dir / name).read_bytes() == (market.training.run_dir / name).read_bytes()
    assert again.verdict.trials == 1


def test_two_trainings_at_once_have_folders_of_their_own(copied: Path) -> None:
    code = f"import sys; from barsmith.pipeline.api import train; train(sys.argv[1], model='xgboost', overrides={list(MODEL)!r})"
    both = [subprocess.Popen([sys.executable, "-c", code, copied], stderr=subprocess.PIPE) for _ in range(2)]
    assert [(process.communicate()[1][-300:], process.returncode) for process in both] == [(b"", 0)] * 2
    names = runs_of(copied)
    assert len(names) == 3
    for name in names:
        folder = copied / "experiments" / "runs" / name
        verify(folder, read_sealed(folder / "manifest.json")["files"])
    assert [entry["number"] for entry in Ledger(copied).entries()] == [1, 2, 3]


def test_a_training_while_a_data_run_is_at_work_is_told_so_and_never_reads_a_mixture(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_module, "PATIENCE", 0.2)
    before = runs_of(copied)
    with Store(copied, "MES").locked():
        error = refusal(lambda: trained(copied))
    assert (error.code, error.exit_code) == ("lock/busy", 4)
    assert runs_of(copied) == before
    trained(copied)


def test_two_trainings_of_one_second_have_two_names(tmp_path: Path) -> None:
    with training_folder.reserved(tmp_path / "runs" / "a") as one, training_folder.reserved(tmp_path / "runs" / "a") as two:
        assert [one.name, two.name] == ["a", "a-2"]
        (two / "file").write_text("full")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["a-2"]


def test_a_data_run_that_changed_since_is_told_and_not_mixed(copied: Path) -> None:
    data = load_run_data(copied, "MES")
    run(copied, symbol="MES", overrides=["scaling.clip=2.0"])
    assert refusal(lambda: data.container(20)).code == "integrity/mismatch"
    assert isinstance(refusal(lambda: data.container(20)), IntegrityError)
    shutil.rmtree(copied / "runs")
    error = refusal(lambda: trained(copied))
    assert (error.code, isinstance(error, UsageError)) == ("data/not-run", False)


def test_an_opening_is_recorded_before_the_test_split_is_looked_at(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash while it is read must not leave it seen and unrecorded."""

    def crash(container: TimeSeriesDataContainer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TimeSeriesDataContainer, "open_test", crash)
    with pytest.raises(KeyboardInterrupt):
        trained(copied, open_test=True)
    assert len(Ledger(copied).openings("MES", 20)) == 1


def test_a_finished_training_leaves_neither_its_checkpoint_nor_its_lock(tmp_path: Path) -> None:
    model, folder = ModelRegistry.create("gru"), tmp_path / "experiments" / "checkpoints"

    def begun() -> contextlib.AbstractContextManager[Path | None]:
        return training_module.begun(tmp_path, model, "gru_MES_h20", {"data": "a"})

    with begun() as here:
        assert here is not None
        here.mkdir()
        with pytest.raises(BusyError), begun():
            pass
    assert list(folder.iterdir()) == []
    with contextlib.suppress(ZeroDivisionError), begun():
        raise ZeroDivisionError
    assert list(folder.iterdir()) == []  # nothing was kept, so nothing is left
    with contextlib.suppress(ZeroDivisionError), begun():
        here.mkdir()
        raise ZeroDivisionError
    assert here.is_dir()
    with begun() as again:
        assert again == here
    assert list(folder.iterdir()) == []
