"""What a training leaves: `experiments/runs/{model}_{symbol}_h{H}_{time}/`, whole or not there, every file in its manifest."""

from __future__ import annotations

import contextlib
import csv
import io
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barsmith import __version__
from barsmith.artifacts import make_folder, record_of, storage_errors, write_bytes, write_json, write_parquet, write_sealed
from barsmith.bars.minutes import as_datetime, moment
from barsmith.models import save_model
from barsmith.models.discovery import USERS
from barsmith.models.importance import FeatureImportance
from barsmith.models.registry import ModelRegistry
from barsmith.pipeline.training_report import training_page
from barsmith.pipeline.training_result import Judged, Training


def write_training_run(training: Training) -> None:
    """Write the folder beside its place, then give it its name, which `reserved` keeps free."""
    target = training.run_dir
    runs = target.parent
    with storage_errors(runs, "make the training's folder"):
        built = Path(tempfile.mkdtemp(prefix=".training.", dir=runs))
    try:
        with storage_errors(built, "write the training"):
            built.chmod(0o755)
        write_files(built, training)
        files = {str(p.relative_to(built)): record_of(p).as_dict() for p in sorted(built.rglob("*")) if p.is_file()}
        info = training.model.info
        about = {"model": info.name, "family": info.family, "symbol": training.data.symbol, "horizon": training.container.horizon}
        made = {"barsmith": __version__, "package": ModelRegistry.package(info.name)}
        write_sealed(built / "manifest.json", {**about, **made, "run": target.name, "files": files})
        with storage_errors(target, "put the training in its place"):
            built.rename(target)
    finally:
        shutil.rmtree(built, ignore_errors=True)


@contextlib.contextmanager
def reserved(target: Path) -> Iterator[Path]:
    """An empty folder for this training alone: the name, or the name with -2, -3, ... where another has it. One that stays empty is removed."""
    with storage_errors(target, "make the training's folder"):
        make_folder(target.parent)
        for count in range(1, 10_000):
            mine = target if count == 1 else target.with_name(f"{target.name}-{count}")
            with contextlib.suppress(FileExistsError):
                mine.mkdir(mode=0o755)
                break
    try:
        yield mine
    finally:
        with contextlib.suppress(OSError):  # it is full, which is how it should be
            mine.rmdir()


def write_files(folder: Path, training: Training) -> None:
    data, container = training.data, training.container
    names = container.columns
    save_model(training.model, folder / "checkpoints" / "best_model")
    for name, judged in training.splits.items():
        write_parquet(folder / "predictions" / f"{name}_predictions.parquet", predictions(judged), symbol=data.symbol)
    write_json(folder / "metrics" / "training_metrics.json", training.as_dict())
    write_json(folder / "metrics" / "importance.json", training.importance.as_dict())
    write_bytes(folder / "metrics" / "feature_importance.csv", importance_csv(training.importance))
    write_bytes(folder / "plots" / "report.html", training_page(training).encode())
    write_json(folder / "config" / "settings.json", data.settings.model_dump(mode="json"))
    write_json(folder / "config" / "params.json", training.params.model_dump(mode="json"))
    write_bytes(folder / "config" / "scaler.json", data.scaler_of(names).to_json().encode())
    write_json(
        folder / "config" / "features.json",
        {"window": asdict(container.window), **data.features_of(names), "model_code": model_code(training, data.workspace)},
    )
    seen = {
        "labels": data.labels_in_words(container.horizon),
        "learned_from": f"{moment(int(container.train.decision[0])):%Y-%m-%dT%H:%MZ}",
        "learned_until": f"{moment(int(container.train.label_end.max())):%Y-%m-%dT%H:%MZ}",
        "judged_until": f"{moment(int(max(each.part.label_end.max() for each in training.splits.values()))):%Y-%m-%dT%H:%MZ}",
    }
    about = {"run_id": data.run_id, "symbol": data.symbol, "horizon": container.horizon, "train_rows": len(container.train), "seen": seen}
    write_json(
        folder / "config" / "data.json",
        {**about, "minutes": data.minutes_file, "contracts": list(data.contracts), "fingerprint": data.fingerprint},
    )


def predictions(judged: Judged) -> pl.DataFrame:
    """datetime, decision, label_end (UTC), y_true, signal, confidence, prob_short, prob_neutral, prob_long, log_return."""
    part, output = judged.part, judged.output
    return pl.DataFrame(
        {
            "datetime": as_datetime(part.datetime),
            "decision": as_datetime(part.decision),
            "label_end": as_datetime(part.label_end),
            "y_true": part.y,
            "signal": output.signal,
            "confidence": output.confidence,
            **{f"prob_{name}": np.ascontiguousarray(output.probabilities[:, i]) for i, name in enumerate(("short", "neutral", "long"))},
            "log_return": part.log_return,
        }
    )


def importance_csv(found: FeatureImportance) -> bytes:
    """feature, importance (the model's own account, else that by permutation), permutation and the ends of its interval; highest first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["feature", "importance", "permutation", "permutation_low", "permutation_high"])
    rows = [(one.feature, one.worse_by if found.own is None else found.own.get(one.feature, 0.0), one) for one in found.permutation]
    for name, value, one in sorted(rows, key=lambda row: (-row[1], row[0])):
        writer.writerow((name, *(repr(float(x)) for x in (value, one.worse_by)), *(one.interval or ("", ""))))
    return text.getvalue().encode()


def model_code(training: Training, workspace: Path) -> list[dict[str, Any]]:
    """The user's file that defines the model, by its path in the workspace and its hash; nothing for a shipped or installed one."""
    info = training.model.info
    if not info.module.startswith(USERS):
        return []
    path = Path(info.origin).resolve()
    inside = path.is_relative_to(workspace.resolve())
    return [{"path": str(path.relative_to(workspace.resolve()) if inside else path), "sha256": record_of(path).sha256}]
