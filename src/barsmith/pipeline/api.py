"""`run` and `train` as Python calls: a workspace and a symbol in, the same records as the command line prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from barsmith.config import Settings, shown
from barsmith.config_reading import load_settings
from barsmith.errors import UsageError, did_you_mean
from barsmith.models.fitting import Progress
from barsmith.parallel import Backend, Done, run_jobs
from barsmith.pipeline.explaining import decisions, refuse_stale
from barsmith.pipeline.foreseeing import refuse_foreseen
from barsmith.pipeline.resuming import settings_now, true_state
from barsmith.pipeline.run_data import load_run_data
from barsmith.pipeline.run_folder import RunFolder, RunState, Sources, StageState, new_run_id
from barsmith.pipeline.run_records import made_of, write_results
from barsmith.pipeline.runner import Runner, Step, plan
from barsmith.pipeline.stages import STAGE_NAMES, all_stages
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.store import Store
from barsmith.pipeline.tracking import track as track_training
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
    only: str | None = None,
    live: bool = True,
) -> dict[str, Any]:
    """Raw minutes to data sets: every stage, cached or computed.

    Returns run_id, symbol, stages [{name, status, seconds, rows, peak_mib}], features, features_kept, splits, bars (what cleaning
    counted), barriers (of each horizon), tuning (what the search was worth), is_ready, findings, report. With `only`: run_id, symbol,
    only, stages.

    workspace: a folder with data/raw/{SYMBOL}_1m.parquet or .csv. symbol: may be left out where there is one.
    config: settings to read instead of config/pipeline.yaml; "-" for those in `stdin`. overrides: `section.key=value`.
    only: make this stage in any case and no other; what it needs must be up to date. live: a table that is redrawn, where
    standard error is a terminal.
    Raises what the rooms raise: UsageError, DataError, BusyError, StorageError; UsageError `run/stage`, `run/stale`.
    """
    workspace = Path(workspace)
    check_stage(only, "--only")
    return _run(workspace, *_asked(workspace, symbol, config, overrides, stdin), only=only, live=live)


def run_symbols(
    workspace: Path,
    symbols: Sequence[str],
    *,
    backend: Backend | None = None,
    workers: int | None = None,
    told: Callable[[str, Done], None] | None = None,
    **options: Any,
) -> list[Done]:
    """A run of each symbol as if it were alone, in the order asked; one that fails does not stop the others.

    backend: None for one after the other. workers: how many at once, by default one a core. told: called with each symbol when it has ended.
    options: those of `run`.
    """
    live = backend is None
    jobs = [(str(workspace), symbol, {**options, "live": live}) for symbol in symbols]
    return run_jobs(_run_symbol, jobs, backend=backend, workers=workers, told=lambda i, done: told(symbols[i], done) if told else None)


def _run_symbol(workspace: str, symbol: str, options: dict[str, Any]) -> dict[str, Any]:
    return run(workspace, symbol=symbol, **options)


def rerun(
    workspace: Path | str, run_id: str, from_stage: str | None = None, *, only: str | None = None, live: bool = True
) -> dict[str, Any]:
    """A run with the settings of an earlier one, as they stand today; `from_stage` and what follows, or `only` one stage, is computed in any case.

    A setting that was changed since must feed no finished stage before `from_stage`.
    Raises UsageError `run/not-found`, `run/stage`, `run/stale`, `config/changed`.
    """
    workspace = Path(workspace)
    settings, sources = _settings_again(workspace, run_id, from_stage, only)
    return _run(workspace, settings, sources, redo_from=from_stage, only=only, live=live)


def dry_run(
    workspace: Path | str = ".",
    *,
    run_id: str | None = None,
    from_stage: str | None = None,
    only: str | None = None,
    symbol: str | None = None,
    config: Path | str | None = None,
    overrides: Sequence[str] = (),
    stdin: bytes | None = None,
) -> dict[str, Any]:
    """What `run`, or with a `run_id` what `rerun`, would do: symbol, stages [{name, action (cached or run), why}].

    Nothing is written and nothing is locked: a run that is under way is not disturbed, and may change the answer.
    Raises what they raise before their first stage, and what a later one would refuse without a look at the minutes: an unknown zone or
    feature, a file of events or signals that cannot be read.
    """
    workspace = Path(workspace)
    if run_id is None:
        check_stage(only, "--only")
        settings, _ = _asked(workspace, symbol, config, overrides, stdin)
    else:
        settings, _ = _settings_again(workspace, run_id, from_stage, only)
    steps = steps_of(workspace, settings)
    found = decisions(steps, Store(workspace, str(settings.symbol)), redo_from=from_stage, only=only)
    if only is not None:
        refuse_stale(found, only)
    refuse_foreseen(settings, steps, {one.name: bool(one.why) for one in found})
    return {"symbol": str(settings.symbol), "stages": [one.as_dict() for one in found if one.why or not one.unlisted]}


def check_stage(name: str | None, option: str) -> None:
    """UsageError `run/stage` where this is no stage."""
    if name is not None and name not in STAGE_NAMES:
        raise UsageError("run/stage", expected="a stage's name", came=shown(name), do=did_you_mean(name, STAGE_NAMES), where=option)


def steps_of(workspace: Path, settings: Settings) -> list[Step]:
    return plan(all_stages(), settings, givens(workspace, settings))


def _asked(
    workspace: Path, symbol: str | None, config: Path | str | None, overrides: Sequence[str], stdin: bytes | None
) -> tuple[Settings, Sources]:
    file = Path(config) if config is not None and str(config) != "-" else None
    loaded = load_settings(workspace, config=file, stdin=stdin, overrides=list(overrides))
    symbol = resolve_symbol(workspace, symbol or loaded.settings.symbol)
    sources = Sources(str(config) if config is not None else None, tuple(overrides), loaded.winners)
    return loaded.settings.for_symbol(symbol), sources


def _settings_again(workspace: Path, run_id: str, from_stage: str | None, only: str | None) -> tuple[Settings, Sources]:
    check_stage(from_stage, "--from")
    check_stage(only, "--only")
    if from_stage is not None and only is not None:
        raise UsageError("cli/usage", expected="--from or --only", came="both", do="leave one out")
    return settings_now(workspace, run_id, lambda some: steps_of(workspace, some), from_stage, only=only)


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
    track: bool | None = None,
) -> Training:
    """Fit a model on the latest data run of a symbol, judge it on validation and leave it as a run folder.

    model: a name of `barsmith models list`. symbol: may be left out where there is one. overrides: of the model's settings, as
    `training.max_depth=8`. open_test: also score the test split, which the ledger records. modules: files with models of yours.
    progress: told (rounds done, rounds in all, losses). track: record it in MLflow as well; None as the setting `tracking` says, and
    whatever fails there stands in `.tracking` and nowhere else. Returns the `Training`: `.verdict`, `.splits["val"].metrics`, `.run_dir`, `.as_dict()`.
    Raises UsageError `config/...`, `cli/symbol`, DataError `data/not-run`, `datasets/...`, `models/...`, IntegrityError `integrity/...`.
    """
    workspace = Path(workspace)
    found = resolve_symbol(workspace, symbol)
    is_tracked = load_settings(workspace).settings.tracking == "mlflow" if track is None else track
    training = train_model(
        workspace, model=model, symbol=found, horizon=horizon, overrides=overrides, open_test=open_test, modules=modules, progress=progress
    )
    return replace(training, tracking=track_training(training)) if is_tracked else training


def _run(
    workspace: Path, settings: Settings, sources: Sources, *, redo_from: str | None = None, only: str | None = None, live: bool = True
) -> dict[str, Any]:
    symbol = str(settings.symbol)
    steps = steps_of(workspace, settings)
    store = Store(workspace, symbol)
    with store.locked():
        if only is not None:
            refuse_stale(decisions(steps, store, only=only), only)
        folder = RunFolder(workspace, new_run_id(workspace, symbol))
        folder.write_config(settings, sources)
        folder.write_manifest("made_of.json", made_of(steps))
        listed = [StageState(step.stage.name) for step in steps if not step.stage.unlisted and only in (None, step.stage.name)]
        state = RunState(folder.run_id, symbol, started=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", stages=listed, only=only)
        folder.write_state(state)
        runner = Runner(steps, store, folder, state, live=live)
        runner.run(redo_from=redo_from, only=only)
        columns = ("name", "status", "seconds", "rows", "peak_mib")
        told = [{column: getattr(line, column) for column in columns} for line in state.stages]
        head = {"run_id": folder.run_id, "symbol": symbol, "stages": told}
        if only is not None:
            return {**head, "only": only}
        write_results(workspace, folder, runner, steps)
        validated, splits = runner.value("validation"), runner.value("splits")
        return {
            **head,
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
