"""Leak 20 and its kin: nothing that a model answers for may have taught it, stopped it or calibrated it."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from barsmith.errors import UsageError
from barsmith.models import BaseModel, load_model, predict_model, save_model
from barsmith.models.registry import keywords_for
from barsmith.pipeline.training import fit
from barsmith.testing.model_market import small_market
from barsmith.testing.model_trial import SEED, Trial, shared

PARTS = ("train", "stop")
SCORE = re.compile(r"(^|_)(loss|logloss|accuracy|auc|f1|brier|ece|precision|recall|score)(_|$)")


def it_never_learns_from_the_rows_it_reports(trial: Trial) -> None:
    """Leak 20: beside another validation, in features, labels and prices, the same training gives the same answers.

    What fits is the trainer of `train` itself, on the data set that it hands out. Views lead to the whole matrix behind them, frames
    to the trainer's own variables, a class to what its models were asked before: whichever way a model takes, its answers differ.
    """
    one, two = (answers_beside(trial, is_turned=is_turned) for is_turned in (False, True))
    if trial.is_deterministic:
        assert one.tobytes() == two.tobytes(), (
            f"trained beside another validation, its answers for training rows differ by up to {np.abs(one - two).max()}: "
            "it has learned from the rows that are reported"
        )


def answers_beside(trial: Trial, *, is_turned: bool) -> np.ndarray:
    """(N, 3) for the training rows, of a model that is trained as `train` does it and has answered for validation."""
    market = small_market(trial.reads, is_turned=is_turned)
    try:
        told = fit(model := trial.new(), market, seed=SEED)
    except UsageError as error:
        raise error.__cause__ if isinstance(error.__cause__, AssertionError) else error from None  # the closed test split's own
    assert told.n_fit + told.n_stop <= len(market.train), f"{told.n_fit} rows fitted and {told.n_stop} stopped on, of {len(market.train)}"
    predict_model(model, market.val.X)
    return predict_model(model, market.train.X).probabilities


def being_asked_changes_nothing(trial: Trial) -> None:
    """No answer depends on what was asked before, and what is saved before and after has the same bytes: `predict` learns nothing."""
    model, _ = trial.trained(*trial.rows().parted())
    before, again = (saved(model, trial.folder / name) for name in ("before", "again"))
    these, others = trial.rows(n=150, seed=8).X, 2.0 * trial.rows(n=150, seed=9).X
    first = predict_model(model, these).probabilities
    predict_model(model, others)
    predict_model(model, others[:1])
    assert same(predict_model(model, these).probabilities, first), "asked again after other rows, it answers with other bits"
    one, two = (load_model(trial.folder / "before") for _ in range(2))
    predict_model(two, others)
    assert same(*(predict_model(each, these).probabilities for each in (one, two))), (
        "asked for other rows first, it answers with other bits"
    )
    after = saved(model, trial.folder / "after")
    changed = [name for name in sorted({*before, *after}) if before.get(name) == again.get(name) != after.get(name)]
    assert not changed, f"saved after it was asked, {changed[0]} is another: predict keeps something of the rows"


def a_view_gives_the_bits_of_a_copy(trial: Trial) -> None:
    """Of models that read windows: gathered by index or lying in one array, they get the same answers."""
    if trial.reads not in ("sequence", "multires"):
        return
    windows = small_market(trial.reads, is_turned=False).val.X
    model, copy = trial.fitted(), np.asarray(windows)
    assert same(predict_model(model, windows).probabilities, predict_model(model, copy).probabilities), "a copy of a view gets other bits"


def it_learns_without_rows_to_stop_on(trial: Trial) -> None:
    """Too few rows leave no inner slice: then X_val is None."""
    rows = trial.rows()
    model, told = trial.trained(rows, None)
    assert predict_model(model, rows.X[:5]).probabilities.shape == (5, 3)
    assert told.n_stop == 0, f"n_stop is {told.n_stop} without rows to stop on"
    assert "stop" not in told.history, "a loss on stopping rows is told, and there are none"


def losses_are_of_the_rows_they_name(trial: Trial) -> None:
    """Losses are called `train` or `stop`, other scores begin so; those of the stopping rows follow those rows and their weights."""
    told = shared(trial.key)[1]
    unclear = [name for name in told.history if name not in PARTS]
    unclear += [name for name in told.model_extra or {} if SCORE.search(name) and name.partition("_")[0] not in PARTS]
    assert not unclear, f"{unclear[0]} does not say of which rows it is: call it train or stop, or let its name begin so"
    if "stop" not in told.history:
        return
    learned, stop = trial.rows().parted()
    is_weighing = "weight_val" in inspect.signature(trial.new().fit).parameters
    others = replace(stop, weight=np.where(stop.y == 1, 10.0, 0.1).astype(np.float32)) if is_weighing else replace(stop, y=-stop.y)
    losses = trial.trained(learned, others)[1].history["stop"]
    what = "weights" if is_weighing else "labels"
    assert list(losses) != list(told.history["stop"]), f"with other {what} of the stopping rows the losses called stop are the same"


def it_goes_on_from_its_own_checkpoint_only(trial: Trial) -> None:
    """Of models that keep how far they are: the checkpoint of other rows teaches them nothing."""
    if not keywords_for(trial.new().fit, {"checkpoint": None}):
        return
    folder = trial.folder / "checkpoint"
    trial.trained(*trial.rows(seed=9).parted(), checkpoint=folder)
    model, _ = trial.trained(*trial.rows().parted(), checkpoint=folder)
    if trial.is_deterministic:
        X = trial.rows(seed=8).X
        answers = (predict_model(each, X).probabilities for each in (model, trial.fitted()))
        assert same(*answers), "beside the checkpoint of another training it becomes another model"


def saved(model: BaseModel, folder: Path) -> dict[str, bytes]:
    """The files that it is saved as."""
    save_model(model, folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same(one: np.ndarray, two: np.ndarray) -> bool:
    return one.tobytes() == two.tobytes()
