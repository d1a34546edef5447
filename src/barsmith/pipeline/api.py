"""`run` and `train` as Python calls: a workspace and a symbol in, the same records as the command line prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from barsmith.artifacts import write_bytes
from barsmith.config import Settings, shown
from barsmith.config_reading import load_settings
from barsmith.errors import UsageError, did_you_mean
from barsmith.models.fitting import Progress
from barsmith.pipeline.resuming import settings_now, true_state
from barsmith.pipeline.run_data import load_run_data
from barsmith.pipeline.run_folder import RunFolder, RunState, Sources, StageState, new_run_id
from barsmith.pipeline.runner import Runner, Step, plan
from barsmith.pipeline.stages import STAGE_NAMES, all_stages
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.store import Store
from barsmith.pipeline.training import train as train_model
from barsmith.pipeline.training_result import Training
from barsmith.pipeline.workspace import givens, resolve_symbol


def run(
    workspace: Path | str = ".",
    *,
    symbol: str | None = None,
    config: Path | str | None = None,
    overrides: Sequence[str] = (),
    stdin: bytes | None = None,
) -> dict[str, Any]:
    """Raw minutes to data sets: every stage, cached or computed.

    Returns run_id, symbol, stages [{name, status, seconds, rows}], features, features_kept, splits, bars (what cleaning
    counted), barriers (of each horizon), tuning (what the search was worth), is_ready, findings, report.

    workspace: a folder with data/raw/{SYMBOL}_1m.parquet or .csv. symbol: may be left out where there is one.
    config: settings to read instead of config/pipeline.yaml; "-" for those in `stdin`. overrides: `section.key=value`.
    Raises what the rooms raise: UsageError, DataError, BusyError, StorageError.
    """
    workspace = Path(workspace)
    file = Path(config) if config is not None and str(config) != "-" else None
    loaded = load_settings(workspace, config=file, stdin=stdin, overrides=list(overrides))
    symbol = resolve_symbol(workspace, symbol or loaded.settings.symbol)
    sources = Sources(str(config) if config is not None else None, tuple(overrides), loaded.winners)
    return _run(workspace, loaded.settings.for_symbol(symbol), sources)


def rerun(workspace: Path | str, run_id: str, from_stage: str | None = None) -> dict[str, Any]:
    """A run with the settings of an earlier one, as they stand today; `from_stage` and what follows are computed in any case.

    A setting that was changed since must feed no finished stage before `from_stage`.
    Raises UsageError `run/not-found`, `run/stage`, `config/changed`.
    """
    workspace = Path(workspace)
    if from_stage is not None and from_stage not in STAGE_NAMES:
        raise UsageError(
            "run/stage", expected="a stage's name", came=shown(from_stage), do=did_you_mean(from_stage, STAGE_NAMES), where="--from"
        )
    settings, sources = settings_now(workspace, run_id, lambda some: plan(all_stages(), some, givens(workspace, some)), from_stage)
    return _run(workspace, settings, sources, redo_from=from_stage)


def status(workspace: Path | str, run_id: str) -> dict[str, Any]:
    """How far a run has come: run_id, symbol, status, started, updated, stages, error."""
    return true_state(Path(workspace), run_id).as_dict()


def validate(workspace: Path | str = ".", *, symbol: str | None = None) -> dict[str, Any]:
    """Every check over what the latest data run of a symbol left: its files against their hashes, then its tables."""
    from barsmith.pipeline.checking import check_run

    workspace = Path(workspace)
    return check_run(load_run_data(workspace, resolve_symbol(workspace, symbol)))


def train(
    workspace: Path | str = ".",
    *,
    model: str,
    symbol: str | None = None,
    horizon: int = 20,
    overrides: Sequence[str] = (),
    open_test: bool = False,
    modules: Sequence[Path | str] = (),
    progress: Progress | None = None,
) -> Training:
    """Fit a model on the latest data run of a symbol, judge it on validation and leave it as a run folder.

    model: a name of `barsmith models list`. symbol: may be left out where there is one. overrides: of the model's settings, as
    `training.max_depth=8`. open_test: also score the test split, which the ledger records. modules: files with models of yours.
    progress: told (rounds done, rounds in all, losses). Returns the `Training`: `.verdict`, `.splits["val"].metrics`, `.run_dir`, `.as_dict()`.
    Raises UsageError `config/...`, `cli/symbol`, DataError `data/not-run`, `datasets/...`, `models/...`, IntegrityError `integrity/...`.
    """
    workspace = Path(workspace)
    found = resolve_symbol(workspace, symbol)
    return train_model(
        workspace, model=model, symbol=found, horizon=horizon, overrides=overrides, open_test=open_test, modules=modules, progress=progress
    )


def _run(workspace: Path, settings: Settings, sources: Sources, redo_from: str | None = None) -> dict[str, Any]:
    symbol = str(settings.symbol)
    steps = plan(all_stages(), settings, givens(workspace, settings))
    store = Store(workspace, symbol)
    with store.locked():
        folder = RunFolder(workspace, new_run_id(workspace, symbol))
        folder.write_config(settings, sources)
        listed = [StageState(step.stage.name) for step in steps if not step.stage.unlisted]
        state = RunState(folder.run_id, symbol, started=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", stages=listed)
        folder.write_state(state)
        runner = Runner(steps, store, folder, state)
        runner.run(redo_from=redo_from)
        write_results(workspace, folder, runner, steps)
        validated, splits = runner.value("validation"), runner.value("splits")
        return {
            "run_id": folder.run_id,
            "symbol": symbol,
            "stages": [{"name": s.name, "status": s.status, "seconds": s.seconds, "rows": s.rows} for s in state.stages],
            "features": runner.value("datasets").manifest["features"],
            "features_kept": len(validated.feature_set["kept"]),
            "splits": {name: len(splits.of(name)) for name in ("train", "val", "test")},
            "bars": store.read_field("clean", CleanMinutes, "counts", store.entries()["clean"]),
            "barriers": runner.value("ga_optimize").barriers,
            "tuning": runner.value("reporting").tuning,
            "is_ready": validated.is_ready,
            "findings": validated.findings,
            "report": str(workspace / "results" / f"{folder.run_id}.html"),
        }


def write_results(workspace: Path, folder: RunFolder, runner: Runner, steps: Sequence[Step]) -> None:
    """The run's manifests and its report in results/."""
    from barsmith.pipeline.page import page

    entries = runner.store.entries()
    keys = {step.stage.name: step.key for step in steps}
    stages = {name: {"key": keys[name], "rows": entries[name].rows, "files": dict(entries[name].files)} for name in keys}
    folder.write_manifest("feature_set_manifest.json", runner.value("validation").feature_set)
    tuned = runner.value("ga_optimize")
    about_search = {"barriers": tuned.barriers, "why_not": tuned.why_not, "search": tuned.search, "trials": tuned.trials.to_dicts()}
    folder.write_manifest("tuning_manifest.json", about_search)
    folder.write_manifest("dataset_manifest.json", runner.value("datasets").manifest)
    report = runner.value("reporting")
    html = page(f"Data run {folder.run_id}", report.lead, [(heading, parts) for heading, parts in report.sections])
    results = workspace / "results"
    written = {
        f"results/{folder.run_id}.md": write_bytes(results / f"{folder.run_id}.md", report.markdown.encode()).as_dict(),
        f"results/{folder.run_id}.html": write_bytes(results / f"{folder.run_id}.html", html.encode()).as_dict(),
    }
    about = {"run_id": folder.run_id, "symbol": folder.run_id.split("-")[2], "keys": keys, "stages": stages, "results": written}
    folder.write_manifest("manifest.json", about)
