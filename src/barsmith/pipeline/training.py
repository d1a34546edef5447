"""`train`: a model fitted on the training slice, judged on validation beside the baselines, and left as a run folder."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from barsmith.artifacts import canonical_json, locked
from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.parts import Part
from barsmith.labels.weights import class_neutral
from barsmith.ledger import Ledger
from barsmith.metrics.bootstrap import difference_intervals, session_intervals
from barsmith.metrics.classification import scores
from barsmith.models.base import BaseModel, TrainingMetrics
from barsmith.models.discovery import discover
from barsmith.models.fitting import Progress, fit_model, predict_model
from barsmith.models.importance import feature_importance
from barsmith.models.registry import keywords_for
from barsmith.models.rows import check_rows_alone, check_rows_disjoint
from barsmith.models.storage import load_model, save_model
from barsmith.models.yaml_params import load_params
from barsmith.pipeline.run_data import RunData, load_run_data
from barsmith.pipeline.store import Store, no_data
from barsmith.pipeline.training_folder import reserved, write_training_run
from barsmith.pipeline.training_result import Judged, Training
from barsmith.splits.purging import inner_split
from barsmith.validation.baselines import baseline_probabilities, baseline_scores
from barsmith.validation.known_best import known_best
from barsmith.validation.verdict import META_SKILLS, SKILLS, alarms, verdict

PATIENCE = 20.0  # seconds to wait for a data run that is under way
STOPPING_SHARE = 0.15  # of the training rows, the last ones: they decide when to stop


def train(
    workspace: Path,
    *,
    model: str,
    symbol: str,
    horizon: int = 20,
    overrides: Sequence[str] = (),
    open_test: bool = False,
    modules: Sequence[Path | str] = (),
    progress: Progress | None = None,
) -> Training:
    """Fit `model` on the data run of `symbol` that lies in the workspace, and judge it.

    overrides: of the model's settings, as `training.max_depth=8`. open_test: also score the test split, which is recorded.
    modules: files with models of the user's, beside those of the settings and under `models/`.
    Early stopping and calibration look at the last 15 % of the training rows, purged; never at validation. A model that does neither
    learns from all of them.
    Raises UsageError `config/...`, DataError `data/...`, `datasets/...`, `models/...`, IntegrityError `integrity/...`.
    """
    started = time.perf_counter()
    with finished_data(workspace, symbol) as data:
        discover(workspace, [*data.settings.models.modules, *(Path(module).resolve() for module in modules)])
        cls, params = load_params(model, workspace, overrides)
        made = cls(params)
        made.check_machine()
        container = data.container_for(cls.info, params, horizon)
    chosen = {"params": params.model_dump(mode="json"), "data": data.fingerprint, "features": list(container.feature_names)}
    with begun(workspace, made, f"{model}_{data.symbol}_h{horizon}", chosen) as checkpoint:
        told = fit(made, container, seed=data.settings.random_seed, progress=progress, checkpoint=checkpoint)
        check_answers(made, container.val.X)
        return left(data, container, made, told, chosen, started, open_test=open_test)


def left(
    data: RunData,
    container: TimeSeriesDataContainer,
    model: BaseModel,
    told: TrainingMetrics,
    chosen: Mapping[str, Any],
    started: float,
    *,
    open_test: bool,
) -> Training:
    """The training, judged, recorded in the ledger and written. chosen: what the ledger calls its configuration."""
    workspace, horizon, name = data.workspace, container.horizon, model.info.name
    target = workspace / "experiments" / "runs" / f"{name}_{data.symbol}_h{horizon}_{datetime.now(UTC):%Y%m%d-%H%M%S}"
    with reserved(target) as run_dir:
        ledger = Ledger(workspace)
        told_to_ledger: dict[str, Any] = {"symbol": data.symbol, "horizon": horizon, "model": name, "run": run_dir.name}
        parts = {"val": container.val}
        if open_test:
            ledger.record_opening(**told_to_ledger)  # before anybody looks: a crash must not leave it seen and unrecorded
            container = container.open_test()
            parts["test"] = container.test
        seeds = np.random.SeedSequence([data.settings.random_seed, horizon]).spawn(2)
        splits = {name: judged(data, model, container, part, seed) for (name, part), seed in zip(parts.items(), seeds, strict=False)}
        ledger.record(
            **told_to_ledger, configuration=chosen, scores={k: splits["val"].metrics[k] for k in ("accuracy", "log_loss", "auc_macro")}
        )
        trials, openings = ledger.trials(data.symbol, horizon), len(ledger.openings(data.symbol, horizon))
        val, levels = splits["val"], data.settings.verdict.at(data.settings.base_kind, horizon)
        raised = alarms(val.metrics, val.baselines, levels, intervals=val.intervals, known_best=val.best_possible)
        judgement = verdict(
            val.metrics,
            val.intervals,
            val.better_than["time_of_day"],
            trials=trials,
            sessions=len(np.unique(val.part.session)),
            raised=len(raised),
            skills=META_SKILLS if data.settings.labels.primary_signal is not None else SKILLS,
        )
        part = val.part
        importance = feature_importance(model, part.X, part.y, part.session, container.feature_names, seed=data.settings.random_seed)
        seconds = time.perf_counter() - started
        training = Training(data, container, model, model.params, told, splits, judgement, raised, importance, openings, seconds, run_dir)
        write_training_run(training)
        return training


@contextlib.contextmanager
def finished_data(workspace: Path, symbol: str) -> Iterator[RunData]:
    """What the latest data run left, while no other run can change it. Raises BusyError where one goes on for too long."""
    store = Store(workspace, symbol)
    if not store.state_file.exists():
        raise no_data(symbol, "a finished data run")
    with store.locked(wait=PATIENCE):
        yield load_run_data(workspace, symbol)


@contextlib.contextmanager
def begun(workspace: Path, model: BaseModel, name: str, chosen: Mapping[str, Any]) -> Iterator[Path | None]:
    """The folder in which this very training keeps how far it is, where its model can: a killed one goes on from there, a finished one removes it.

    Raises BusyError where another process is at it.
    """
    if not keywords_for(model.fit, {"checkpoint": None}):
        yield None
        return
    folder = workspace / "experiments" / "checkpoints" / f"{name}_{hashlib.sha256(canonical_json(chosen)).hexdigest()[:12]}"
    lock = folder.with_name(f".{folder.name}.lock")
    with locked(lock, "this training"):
        try:
            yield folder
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            if not folder.exists():
                with contextlib.suppress(OSError):  # Windows keeps it while it is held, and removes it then
                    lock.unlink()


def fit(
    model: BaseModel,
    container: TimeSeriesDataContainer,
    *,
    seed: int,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> TrainingMetrics:
    """Fit on the training slice; its last rows, purged, decide when to stop and calibrate, where the model does either."""
    learned, stop = inner_parts(container, model.uses_inner_slice)
    return fit_model(
        model,
        learned.X,
        learned.y,
        None if stop is None else stop.X,
        None if stop is None else stop.y,
        weight_train=learned.weight,
        weight_val=None if stop is None else stop.weight,
        feature_names=container.feature_names,
        seed=seed,
        progress=progress,
        checkpoint=checkpoint,
    )


def inner_parts(container: TimeSeriesDataContainer, uses_inner_slice: bool) -> tuple[Part, Part | None]:
    """The training rows to learn from, and those that decide when to stop; their weights leave each class as frequent as it came."""
    part = replace(container.train, weight=class_neutral(container.train.weight, container.train.y))
    check_rows_disjoint(part.decision, container.val.decision)
    if not uses_inner_slice:
        return part, None
    fit_rows, stop_rows = inner_split(
        np.arange(len(part)), part.decision, part.label_end, share=STOPPING_SHARE, purge_bars=3 * container.horizon
    )
    return part.take(fit_rows), part.take(stop_rows)


def check_answers(model: BaseModel, X: Any) -> None:
    """Refuse a model that answers for a row otherwise among others, after it was asked, or once it was saved: live it is loaded, and a row comes alone.

    Leak 20: what predict learns from the rows that are reported, a copy that was saved before does not know.
    Raises DataError `models/row-dependence`.
    """
    with tempfile.TemporaryDirectory(prefix="barsmith-model-") as folder:
        save_model(model, Path(folder))
        unasked = load_model(Path(folder))
    check_rows_alone(
        lambda rows: predict_model(model, rows).probabilities,
        X,
        predict_alone=lambda rows: predict_model(unasked, rows).probabilities,
    )


def judged(data: RunData, model: BaseModel, container: TimeSeriesDataContainer, part: Part, seed: np.random.SeedSequence) -> Judged:
    """A part's predictions beside the baselines, each with intervals over the same drawn sessions."""
    output = predict_model(model, part.X)
    others = baseline_probabilities(container.train, part)
    intervals = session_intervals(part.y, output.probabilities, part.session, seed=seed, log_return=part.log_return)
    better = {
        name: difference_intervals(part.y, output.probabilities, p, part.session, seed=seed, log_return=part.log_return)
        for name, p in others.items()
    }
    better["majority"]["log_loss"] = None  # it names a class and no odds
    truth = data.truth(part, container.horizon)
    return Judged(
        part=part,
        output=output,
        metrics=scores(part.y, output.probabilities, log_return=part.log_return),
        intervals=intervals,
        baselines=baseline_scores(container.train, part),
        better_than={name: {k: row[k] for k in ("accuracy", "log_loss", "auc_timing", "auc_direction")} for name, row in better.items()},
        best_possible=None if truth is None else known_best(part.y, *truth, seed=seed),
    )
