"""`barsmith train`: a model fitted on train and judged on validation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barsmith.cli.models import models_report
from barsmith.cli.options import Modules, Overrides, Symbol, Workspace
from barsmith.cli.printing import Report, Table, printable
from barsmith.cli.progress import timed
from barsmith.cli.settings import settings_of
from barsmith.errors import UsageError

if TYPE_CHECKING:
    from barsmith.pipeline.training_result import Training


def train(
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="A model, as xgboost.")] = None,
    horizon: Annotated[int, typer.Option("--horizon", min=1, max=1000, help="Base bars ahead, one of label_horizons.")] = 20,
    symbol: Symbol = None,
    open_test: Annotated[bool, typer.Option("--open-test", metavar="", help="Also score the test split; the ledger records it.")] = False,
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

    if symbol is not None:
        instrument(symbol, settings_of(workspace, None, None), code="cli/symbol")
    with timed(f"training {printable(model)} for horizon {horizon}") as tell:
        training = fitted(
            workspace,
            model=model,
            symbol=symbol,
            horizon=horizon,
            overrides=overrides or (),
            open_test=open_test,
            progress=lambda done, total, losses: tell(done / total),
            modules=[path.absolute() for path in modules or ()],
        )
    return Report(training.as_dict(), says_of(training))


def says_of(training: Training) -> list[str | Table]:
    """The scores beside the baselines, timing apart from direction, and what to make of them."""
    from barsmith.pipeline.training_result import summary_rows

    says: list[str | Table] = [setting_of(training), Table(summary_rows(training))]
    says += [f"TOO GOOD TO BE TRUE: {alarm.why}; run {' and '.join(alarm.checks)}" for alarm in training.alarms]
    says.append(training.verdict.sentence)
    if training.container.test_is_open:
        times = "once" if training.test_openings == 1 else f"{training.test_openings} times"
        says.append(f"the test split of this contract and horizon has been opened {times}")
    return [*says, f"run in {training.run_dir}", f"report in {training.run_dir / 'plots' / 'report.html'}"]


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
