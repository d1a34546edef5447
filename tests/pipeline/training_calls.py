"""Trainings as the tests of `train` ask for them, and what is compared of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from barsmith.errors import BarsmithError
from barsmith.pipeline.api import train
from barsmith.pipeline.training_result import Training
from small_market import MODEL

#: What a training of XGBoost leaves.
FILES = {
    "checkpoints/best_model/booster.json",
    "checkpoints/best_model/model.json",
    "config/data.json",
    "config/features.json",
    "config/params.json",
    "config/scaler.json",
    "config/settings.json",
    "manifest.json",
    "metrics/feature_importance.csv",
    "metrics/importance.json",
    "metrics/training_metrics.json",
    "plots/report.html",
    "predictions/val_predictions.parquet",
}


def trained(workspace: Path, *overrides: str, **keywords: Any) -> Training:
    return train(workspace, model="xgboost", overrides=[*MODEL, *overrides], **keywords)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def runs_of(workspace: Path) -> list[str]:
    return sorted(path.name for path in (workspace / "experiments" / "runs").iterdir())


def refusal(call: Callable[[], object]) -> BarsmithError:
    with pytest.raises(BarsmithError) as refused:
        call()
    return refused.value
