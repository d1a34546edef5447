"""`train` on the small simulated market: what it never reads, never learns from, and what makes it suspicious."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rewriting import SCALED, rewrite_table
from training_calls import FILES, files_of, refusal, runs_of, trained

from barsmith.datasets.parts import Part
from barsmith.errors import DataError
from barsmith.labels.weights import class_neutral
from barsmith.ledger import Ledger
from barsmith.models import ModelRegistry
from barsmith.pipeline import training as training_module
from barsmith.pipeline.api import run
from small_market import SmallMarket

# the test split stays closed


@pytest.mark.parametrize(("change", "code"), [("deleted", "integrity/missing"), ("corrupt", "integrity/mismatch")])
def test_the_test_split_is_not_even_read_before_it_is_opened(change: str, code: str, copied: Path, market: SmallMarket) -> None:
    path = copied / SCALED / "test_scaled.parquet"
    if change == "deleted":
        path.unlink()
    else:
        path.write_bytes(bytes(path.stat().st_size))
    assert trained(copied).splits["val"].metrics == market.training.splits["val"].metrics
    before = runs_of(copied)
    error = refusal(lambda: trained(copied, open_test=True))
    assert (error.code, error.exit_code) == (code, 6)
    assert runs_of(copied) == before


def test_an_opened_test_split_is_scored_and_each_opening_is_recorded(copied: Path) -> None:
    assert Ledger(copied).openings("MES", 20) == []
    opened = trained(copied, open_test=True)
    assert set(files_of(opened.run_dir)) == FILES | {"predictions/test_predictions.parquet"}
    assert len(pl.read_parquet(opened.run_dir / "predictions/test_predictions.parquet")) == len(opened.splits["test"].part)
    assert set(opened.as_dict()["metrics"]) == {"val", "test"}
    assert opened.test_openings == 1
    assert [entry["run"] for entry in Ledger(copied).openings("MES", 20)] == [opened.run_dir.name]
    assert trained(copied).test_openings == 1
    assert trained(copied, open_test=True).test_openings == 2
    assert min(opened.splits["test"].part.decision) > max(opened.splits["val"].part.label_end)


# early stopping: leak 20


def test_early_stopping_looks_at_the_last_rows_of_train_and_never_at_validation(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    real = training_module.fit_model

    def spy(model: Any, X: Any, y: Any, X_stop: Any, y_stop: Any, **more: Any) -> Any:
        seen.update(X=X, X_stop=X_stop, **more)
        return real(model, X, y, X_stop, y_stop, **more)

    monkeypatch.setattr(training_module, "fit_model", spy)
    part = trained(copied).container.train
    kept = round(len(part) * 0.85)
    assert seen["X_stop"].tobytes() == part.X[kept:].tobytes()
    neutral = class_neutral(part.weight, part.y)
    assert seen["weight_val"].tolist() == neutral[kept:].tolist()
    assert seen["weight_train"].tolist() == neutral[: len(seen["X"])].tolist()
    assert len(seen["X"]) <= kept - 60
    assert seen["X"].tobytes() == part.X[: len(seen["X"])].tobytes()
    assert part.label_end[: len(seen["X"])].max() < part.decision[kept]


def test_a_model_that_neither_stops_nor_calibrates_learns_from_all_rows_of_train(market: SmallMarket) -> None:
    container = market.training.container
    told = training_module.fit(ModelRegistry.create("logistic"), container, seed=1)
    assert (told.n_fit, told.n_stop, list(told.history)) == (len(container.train), 0, ["train"])


@pytest.mark.parametrize("model", ["xgboost", "logistic"])
def test_a_training_that_would_stop_on_the_rows_it_reports_is_refused(model: str, market: SmallMarket) -> None:
    """Planted leak 20: the rows of validation hang at the end of train."""
    container = market.training.container
    names = [field.name for field in fields(Part)]
    mixed = Part(**{name: np.concatenate((getattr(container.train, name), getattr(container.val, name))) for name in names})
    error = refusal(lambda: training_module.fit(ModelRegistry.create(model), replace(container, train=mixed), seed=1))
    assert (error.code, type(error)) == ("models/reported-rows", DataError)


def test_another_outcome_on_validation_leaves_every_byte_of_the_model(copied: Path, market: SmallMarket) -> None:
    """Leak 20 through the whole of `train`: what is reported changes, the model does not. Planted in tests/conformance."""

    def turned(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(-pl.col("label_h20"), -pl.col("return_h20"), sample_weight_h20=1.0 / pl.col("sample_weight_h20"))

    rewrite_table(copied, f"{SCALED}/val_scaled.parquet", turned)
    again = trained(copied)
    assert again.splits["val"].metrics != market.training.splits["val"].metrics
    model = "checkpoints/best_model"
    assert files_of(again.run_dir / model) == files_of(market.training.run_dir / model)


# too good to be true


def leaky(workspace: Path) -> None:
    """A feature that knows the label, and some noise; every hash is right."""
    rng = np.random.default_rng(3)

    def planted(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(rsi_14=pl.col("label_h20").fill_null(0) + pl.Series(rng.normal(scale=0.3, size=len(frame))))

    for name in ("train", "val", "test"):
        rewrite_table(workspace, f"{SCALED}/{name}_scaled.parquet", planted)


def test_a_column_that_knows_the_label_raises_the_alarm(copied: Path) -> None:
    leaky(copied)
    told = trained(copied, "training.n_estimators=60")
    assert told.splits["val"].metrics["accuracy"] > 0.9
    assert {"accuracy", "log_loss", "auc_macro", "auc_direction"} <= {alarm.score for alarm in told.alarms}
    assert told.verdict.sentence.startswith("Not to be believed before the leak checks have run")
    assert "Not to be believed" in (told.run_dir / "plots/report.html").read_text()


def test_without_a_known_truth_the_levels_of_the_settings_raise_it(copied: Path) -> None:
    (copied / "data/raw/MES_truth.parquet").unlink()
    assert not {"accuracy", "auc_macro"} & {alarm.score for alarm in trained(copied).alarms}
    leaky(copied)
    told = trained(copied, "training.n_estimators=60")
    assert told.splits["val"].best_possible is None
    assert {alarm.score for alarm in told.alarms} == {"accuracy", "auc_macro", "auc_direction"}


def test_no_model_is_a_better_forecaster_than_the_truth(market: SmallMarket) -> None:
    val = market.training.splits["val"]
    assert val.best_possible is not None
    for score in ("log_loss", "brier"):
        best, mine = val.best_possible[score], val.metrics[score]
        assert best is not None
        assert mine is not None
        assert best < mine
    assert not {"log_loss", "brier"} & {alarm.score for alarm in market.training.alarms}


@pytest.mark.parametrize("change", ["labels.k_up=2.5", "labels.max_bars=12", "other bars", "no truth"])
def test_a_truth_that_speaks_of_other_labels_is_not_used(change: str, copied: Path) -> None:
    if change == "no truth":
        (copied / "data/raw/MES_truth.parquet").unlink()
    elif change == "other bars":
        path = copied / "data/raw/MES_1m.parquet"
        pl.read_parquet(path)[:-1].write_parquet(path)
        run(copied, symbol="MES")
    else:
        run(copied, symbol="MES", overrides=[change])
    assert trained(copied).splits["val"].best_possible is None
