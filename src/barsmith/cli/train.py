"""`barsmith train`: a model fitted on train and judged on validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barsmith.cli.models import models_report
from barsmith.cli.options import Modules, Overrides, Symbol, Workspace
from barsmith.cli.printing import Report, Table, printable
from barsmith.cli.progress import rounds
from barsmith.cli.settings import settings_of
from barsmith.cli.train_all import ALL, Asked, names_asked, train_all
from barsmith.errors import UsageError, did_you_mean
from barsmith.pipeline.memory import peak_mib

if TYPE_CHECKING:
    from barsmith.pipeline.training_result import Training

#: What `--device` says -> `device.use_gpu`.
DEVICES = {"cpu": "false", "cuda": "true", "auto": "auto"}


def train(
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME[,NAME]|all", help="A model, as xgboost; several, one after the other; or all.")
    ] = None,
    horizon: Annotated[int, typer.Option("--horizon", min=1, max=1000, help="Base bars ahead, one of label_horizons.")] = 20,
    symbol: Symbol = None,
    seq_len: Annotated[
        int | None,
        typer.Option(
            "--seq-len", min=1, max=10_000, help="Bars of a window: short for --set training.seq_len.", show_default="the model's"
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="cpu|cuda|auto", help="Short for --set device.use_gpu.", show_default="the model's")
    ] = None,
    open_test: Annotated[bool, typer.Option("--open-test", metavar="", help="Also score the test split; the ledger records it.")] = False,
    track: Annotated[
        bool,
        typer.Option(
            "--track", metavar="", help="Record it in MLflow too (tracking/mlflow.db); the setting `tracking: mlflow` does so always."
        ),
    ] = False,
    list_models: Annotated[bool, typer.Option("--list-models", metavar="", help="List the models and do nothing else.")] = False,
    modules: Modules = None,
    overrides: Overrides = None,
    workspace: Workspace = Path("."),
) -> Report:
    """Fit a model on the training slice and judge it on validation, beside the baselines."""
    if list_models:
        return models_report(workspace, modules)
    if model is None:
        raise UsageError("cli/usage", expected="--model", came="none", do="see `barsmith models list`")
    from barsmith.instruments import instrument
    from barsmith.pipeline.api import train as fitted

    overrides = [*(overrides or ()), *device_override(device, overrides or ())]
    if seq_len is not None:
        if any(text.partition("=")[0].strip() == "training.seq_len" for text in overrides):
            raise UsageError("cli/usage", expected="--seq-len or --set training.seq_len", came="both", do="leave one out")
        overrides.append(f"training.seq_len={seq_len}")
    if symbol is not None:
        instrument(symbol, settings_of(workspace, None, None), code="cli/symbol")
    if model == ALL or "," in model:
        return several(model, workspace, symbol, horizon, modules, overrides, [*["--open-test"] * open_test, *["--track"] * track])
    with rounds(f"training {printable(model)} for horizon {horizon}") as tell:
        training = fitted(
            workspace,
            model=model,
            symbol=symbol,
            horizon=horizon,
            overrides=overrides,
            open_test=open_test,
            progress=tell,
            modules=[path.absolute() for path in modules or ()],
            track=track or None,
        )
    stopped_by = int(training.told.as_dict().get("interrupted") or 0)
    return Report(training.as_dict() | {"peak_mib": peak_mib()}, says_of(training), exit_code=stopped_by)


def several(
    model: str, workspace: Path, symbol: str | None, horizon: int, modules: list[Path] | None, overrides: list[str], options: list[str]
) -> Report:
    """`--model all`, `--model a,b`: what would be wrong for all of them is told before the first."""
    from barsmith.cli.models import find_models
    from barsmith.pipeline.training import finished_data
    from barsmith.pipeline.workspace import resolve_symbol

    symbol = resolve_symbol(workspace, symbol)
    find_models(workspace, modules)
    names = names_asked(model) or []
    with finished_data(workspace, symbol) as data:
        data.container(horizon)
    options += [word for path in modules or () for word in ("--module", str(path.absolute()))]
    asked = Asked(workspace, symbol, horizon, tuple(options), tuple(overrides))
    return train_all(names, asked, everything=model == ALL)


def device_override(device: str | None, overrides: Sequence[str]) -> list[str]:
    """`--device cuda` as a setting of the model. Raises UsageError `cli/usage`."""
    if device is None:
        return []
    if device not in DEVICES:
        raise UsageError("cli/usage", expected="--device cpu, cuda or auto", came=ascii(device)[:60], do=did_you_mean(device, DEVICES))
    if any(text.partition("=")[0].strip() == "device.use_gpu" for text in overrides):
        raise UsageError("cli/usage", expected="--device or --set device.use_gpu", came="both", do="leave one out")
    return [f"device.use_gpu={DEVICES[device]}"]


def says_of(training: Training) -> list[str | Table]:
    """The scores beside the baselines, timing apart from direction, and what to make of them."""
    from barsmith.pipeline.training_result import summary_rows

    says: list[str | Table] = [setting_of(training), Table(summary_rows(training))]
    says += training.told.notes
    says += [f"TOO GOOD TO BE TRUE: {alarm.why}; run {' and '.join(alarm.checks)}" for alarm in training.alarms]
    says.append(training.verdict.sentence)
    if training.container.test_is_open:
        times = "once" if training.test_openings == 1 else f"{training.test_openings} times"
        says.append(f"the test split of this contract and horizon has been opened {times}")
    if training.tracking is not None:
        says.append(tracked(training.tracking))
    return [*says, f"run in {training.run_dir}", f"report in {training.run_dir / 'plots' / 'report.html'}"]


def tracked(told: dict[str, Any]) -> str:
    if told["error"] is None:
        return f"tracked in {told['store']}, run {told['run_id']}"
    error = told["error"]
    return f"NOT TRACKED: expected {error['expected']}, came {error['came']}; {error['do']} [{error['code']}]"


def setting_of(training: Training) -> str:
    """What was asked: rows, barriers and how often each answer came."""
    container, data = training.container, training.data
    y, barriers = container.train.y, data.barriers(container.horizon)
    shares = ", ".join(f"{name} {(y == value).mean():.0%}" for value, name in data.settings.labels.classes.items())
    return (
        f"{len(container.train):,} training and {len(container.val):,} validation rows; "
        f"{data.labels_in_words(container.horizon)}, "
        f"horizon {container.horizon} ({barriers.max_bars} bars at most): {shares} in training"
    )
