"""Bundles whose answer is not a side at every bar say so: meta-labels of a primary signal, and labels at events alone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barsmith.artifacts import read_parquet
from barsmith.bars.minutes import as_minutes
from barsmith.cli.predict import predict
from barsmith.cli.train import says_of
from barsmith.config import LabelSettings
from barsmith.labels.primary_signal import PrimarySignal
from barsmith.pipeline.api import run, train
from barsmith.pipeline.training_result import Training
from barsmith.serving.bundle import Bundle
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.bundle_record import notes_on_labels
from small_market import MODEL, SmallMarket


@dataclass(frozen=True)
class Walked:
    workspace: Path
    training: Training
    bundle: Bundle


@pytest.fixture(scope="module")
def meta(market: SmallMarket, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    workspace = shutil.copytree(market.workspace, tmp_path_factory.mktemp("meta") / "copied")
    times = as_minutes(pl.read_parquet(workspace / "data/processed/MES/5m.parquet")["datetime"])
    sides = np.random.default_rng(1).choice([-1, 0, 1], len(times)).astype(np.int8)
    PrimarySignal.of(times, sides).table.write_csv(workspace / "cross.csv")
    run(workspace, symbol="MES", overrides=["labels.primary_signal=cross.csv"])
    training = train(workspace, model="xgboost", overrides=MODEL)
    return Walked(workspace, training, create_bundle(training.run_dir, "meta", workspace))


def test_a_training_on_meta_labels_is_judged_by_which_trades_pay(meta: Walked) -> None:
    verdict = meta.training.verdict
    assert verdict.skill in ("none", "picking the trades that pay")
    assert "picking the trades that pay (AUC 0." in verdict.sentence
    said = str(says_of(meta.training))
    page = (meta.training.run_dir / "plots" / "report.html").read_text()
    text = page[page.index("<h2>Verdict") :]
    for word in ("timing", "direction"):
        assert word not in verdict.sentence
        assert f"auc_{word}" not in said
        assert f"auc_{word}" not in text
    assert "auc_paid" in said
    assert "which of the primary signal" in text
    assert '"unpaid' in text


def test_a_bundle_of_meta_labels_says_that_its_one_is_no_side(meta: Walked) -> None:
    assert meta.bundle.record.trained["labels"].startswith("triple barrier for the trades of cross.csv")
    assert any("pays and 0 that it does not: it is no side" in note for note in meta.bundle.notes)


def test_predict_counts_paid_and_unpaid_and_no_side(meta: Walked, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "signals.parquet"
    report = predict(meta.bundle.folder, meta.workspace / "data/raw/MES_1m.parquet", out, workspace=meta.workspace)
    assert set(report.data["signals"]) == {"unpaid", "paid", "warming_up"}
    assert sum(report.data["signals"].values()) == report.data["rows"]
    assert "for the trades of cross.csv" in " ".join(map(str, report.says))
    assert "it is no side" in capsys.readouterr().err
    assert "it is no side" in str(read_parquet(out, symbol="MES")[1]["about"]["notes"])


def test_a_bundle_of_plain_labels_needs_no_note(market: SmallMarket) -> None:
    bundle = Bundle.load(market.bundle, workspace=market.workspace)
    assert bundle.record.trained["labels"] == "triple barrier, 1.5 ATR up and 1 ATR down, held across the break, every bar"
    assert list(notes_on_labels(bundle.settings.labels)) == []


def test_labels_at_events_alone_are_said_to_be_so() -> None:
    (note,) = notes_on_labels(LabelSettings(events="cusum", cusum_threshold=3.0))
    assert note.startswith("bundle/cusum: learned at bars after a move of 3 trailing volatilities (CUSUM) alone; other bars are answered")
    both = LabelSettings(events="cusum", cusum_unit="fraction", cusum_threshold=0.002, primary_signal="cross.csv")
    assert ["a move of 0.20% (CUSUM)" in note for note in notes_on_labels(both)] == [False, True]
