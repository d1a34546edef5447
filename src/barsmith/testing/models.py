"""What every model must keep, as checks that a plugin's author can run: `check_model("my_model", tmp_path)`.

In pytest, each check by itself:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_model_conforms(check, tmp_path):
        check(Trial.of("my_model", tmp_path, n_estimators=20))

A check raises AssertionError with what it saw. All run on small markets of their own: six features, or four prices of three timeframes, the first of which tells the class.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from barsmith.errors import BarsmithError, DataError, IntegrityError, UsageError
from barsmith.metrics.classification import confidences, signals
from barsmith.models import ModelRegistry, PredictionOutput, load_model, predict_model, save_model
from barsmith.models.params import AnyParams, ModelParams
from barsmith.testing.fresh_process import digest, run_fresh
from barsmith.testing.model_leaks import (
    a_view_gives_the_bits_of_a_copy,
    being_asked_changes_nothing,
    it_goes_on_from_its_own_checkpoint_only,
    it_learns_without_rows_to_stop_on,
    it_never_learns_from_the_rows_it_reports,
    losses_are_of_the_rows_they_name,
)
from barsmith.testing.model_trial import Rows, Trial, shared
from barsmith.testing.process_state import draw, process_state

__all__ = ["CHECKS", "Check", "Rows", "Trial", "check_model"]

Check = Callable[[Trial], None]


def check_model(name: str, folder: Path, **params: Any) -> None:
    """Run every check on a registered model; the first that fails raises AssertionError. folder: an empty one to work in."""
    for check in CHECKS:
        place = folder / check.__name__
        place.mkdir(parents=True)
        check(Trial.of(name, place, **params))


def answers_have_their_shape(trial: Trial) -> None:
    """(N,) int8 classes and signals, (N, 3) float64 probabilities that sum to one, and the confidences that belong to them."""
    X = trial.rows(seed=8).X
    output = predict_model(trial.fitted(), X)
    classes, probabilities = output.classes, output.probabilities
    assert classes.dtype == np.int8, f"classes are {classes.dtype}, not int8"
    assert probabilities.shape == (len(X), 3), f"probabilities have shape {probabilities.shape}"
    assert probabilities.dtype == np.float64, f"probabilities are {probabilities.dtype}, not float64"
    assert np.array_equal(output.signal, signals(probabilities)), "the signals are not the most probable classes, 0 where two tie"
    assert np.array_equal(output.confidence, confidences(probabilities)), "the confidences are not the signals' probabilities"
    try:
        PredictionOutput(classes, probabilities)  # its checks, whoever made it
    except DataError as error:
        raise AssertionError(f"the answers are none: {error}") from error


def probabilities_stand_in_the_agreed_order(trial: Trial) -> None:
    """Short, neutral, long are what the labels called them: a column is larger by 0.05 on average where its class came."""
    rows = trial.rows(seed=8)
    probabilities = predict_model(trial.fitted(), rows.X).probabilities
    for label, column in ((-1, 0), (1, 2)):
        there, elsewhere = (probabilities[is_it, column].mean() for is_it in (rows.y == label, rows.y != label))
        assert there > elsewhere + 0.05, (
            f"column {column} is {there:.3f} where the label is {label} and {elsewhere:.3f} elsewhere: another order, or nothing learned"
        )


def a_class_may_be_missing_from_train(trial: Trial) -> None:
    """Three probabilities come back although the training rows show two classes, or one."""
    rows = trial.rows()
    for keep in (rows.y != 0, rows.y != -1, rows.y == 1):
        output = predict_model(trial.fitted(rows[keep]), rows.X)
        missing = [k for k in (-1, 0, 1) if not (rows.y[keep] == k).any()]
        assert output.probabilities.shape == (len(rows.y), 3), f"without {missing} in train the shape is {output.probabilities.shape}"
        mean = output.probabilities.mean(axis=0)
        assert all(mean[k + 1] < 0.2 for k in missing), f"without {missing} in train the mean probabilities are {mean.round(3).tolist()}"


def one_row_gives_the_bits_it_gives_among_others(trial: Trial) -> None:
    """A live row is a batch of one."""
    model, X = trial.fitted(), trial.rows(n=100, seed=8).X
    whole = predict_model(model, X).probabilities
    for row in range(len(X)):
        alone = predict_model(model, X[row : row + 1]).probabilities
        assert alone.tobytes() == whole[row : row + 1].tobytes(), (
            f"row {row} alone is {alone[0].tolist()}, among others {whole[row].tolist()}"
        )


def chunks_give_the_bits_of_the_whole(trial: Trial) -> None:
    model, X = trial.fitted(), trial.rows(n=333, seed=8).X
    whole = predict_model(model, X).probabilities
    for size in (2, 7, 64, 65, 200):
        parts = np.concatenate([predict_model(model, X[i : i + size]).probabilities for i in range(0, len(X), size)])
        assert parts.tobytes() == whole.tobytes(), (
            f"chunks of {size} rows differ from all rows at once by up to {np.abs(parts - whole).max()}"
        )


def nan_is_refused(trial: Trial) -> None:
    """NaN and infinity are DataError `models/nan-input`, from the model itself."""
    model = trial.fitted()
    for bad in (np.nan, np.inf, -np.inf):
        X = trial.rows(n=5, seed=8).X.copy()
        X[3, ..., 2] = bad
        refused(partial(model.predict, X), DataError, "models/nan-input", f"{bad} among the features")


def other_features_are_refused(trial: Trial) -> None:
    """A column more or less is DataError `models/shape`; a saved model refuses other names and another order."""
    model, X = trial.fitted(), trial.rows(n=5, seed=8).X
    for wrong in (X[..., :-1], np.concatenate([X, X[..., :1]], axis=-1)):
        refused(partial(model.predict, wrong), DataError, "models/shape", f"{wrong.shape[-1]} features instead of {len(trial.names)}")
    save_model(model, trial.folder / "model")
    for names in (trial.names[::-1], trial.names[:-1], (*trial.names[:-1], "other")):
        refused(
            partial(load_model, trial.folder / "model", feature_names=names),
            IntegrityError,
            "bundle/shape",
            f"the features {names}",
        )


def weights_matter(trial: Trial) -> None:
    """Long rows that weigh a hundred times as much are predicted more often.

    Without rows to stop on: what is calibrated on rows as they come gives every class its own share back.
    """
    rows = trial.rows()
    heavy = replace(rows, weight=np.where(rows.y == 1, 10.0, 0.1).astype(np.float32))
    models = (trial.trained(each, None)[0] for each in (heavy, rows))
    with_weight, without = (predict_model(model, rows.X).probabilities[:, 2].mean() for model in models)
    assert with_weight > without, f"the mean probability of long is {with_weight} with heavy long rows, {without} with their own weights"


def the_same_seed_gives_the_same_bits(trial: Trial) -> None:
    """Of models that are registered as deterministic on the CPU."""
    if not trial.is_deterministic:
        return
    X = trial.rows(seed=8).X
    first, second = (predict_model(model, X).probabilities for model in (trial.fitted(), trial.fitted(trial.rows())))
    assert first.tobytes() == second.tobytes(), f"two trainings with one seed differ by up to {np.abs(first - second).max()}"


def training_leaves_its_input_alone(trial: Trial) -> None:
    rows, before = trial.rows(), trial.rows()
    model = trial.fitted(rows)
    predict_model(model, rows.X)
    for name in ("X", "y", "weight"):
        assert np.array_equal(getattr(rows, name), getattr(before, name)), f"{name} is changed by fit or predict"


def the_process_is_left_as_it_was(trial: Trial) -> None:
    """A training draws from a generator of its own, and neither sets threads nor environment for what comes after it."""
    trial.fitted()  # what an import changes, it changes once
    draw()
    before = process_state()
    predict_model(trial.fitted(trial.rows()), trial.rows(seed=8).X)
    after = process_state()
    changed = [what for what in after if after[what] != before.get(what)]
    assert not changed, f"fit or predict changes {' and '.join(changed)} of the whole process"


def a_loaded_model_gives_the_same_bits(trial: Trial) -> None:
    """Parameters, defaults or not, and feature names come back with it, and it can be saved again."""
    model, X = trial.fitted(), trial.rows(seed=8).X
    saved = predict_model(model, X).probabilities
    for number in range(2):
        save_model(model, trial.folder / str(number))
        model = load_model(trial.folder / str(number), feature_names=trial.names)
        loaded = predict_model(model, X).probabilities
        assert loaded.tobytes() == saved.tobytes(), f"loaded, the answers differ by up to {np.abs(loaded - saved).max()}"
    assert model.feature_names == trial.names, f"loaded, the features are {model.feature_names}"
    model.params = known = with_another_number(trial)
    save_model(model, trial.folder / "another")
    found = load_model(trial.folder / "another").params
    assert found == known, f"loaded, the parameters are {found}, not {known}"


def with_another_number(trial: Trial) -> ModelParams:
    """The trial's parameters, the first number that is no whole one a hair smaller: to nobody's harm, and no default any more."""
    params: ModelParams = trial.new().params
    for name, value in params:
        if type(value) is float and value != 0.0:
            with contextlib.suppress(UsageError):  # it stands at its lower bound
                return ModelRegistry.create(trial.name, **{**trial.params, name: value * (1.0 - 1e-9)}).params
    return params


def it_works_in_a_fresh_process(trial: Trial) -> None:
    """A process that has only the folder answers with the same bits, and unpickles nothing: a pickle runs what it likes."""
    model, rows = trial.fitted(), trial.rows(seed=8)
    save_model(model, trial.folder / "model")
    told = run_fresh("predict", trial, rows)
    mine = digest(predict_model(model, rows.X).probabilities)
    assert told["digest"] == mine, "a fresh process that loads the model answers with other bits"
    assert not told["unpickled"], f"it is loaded from a pickle, which names {told['unpickled'][0]}"


def nothing_is_written_outside_its_folder(trial: Trial) -> None:
    """Fit, save, load and predict, in a process that watches what is opened for writing."""
    told = run_fresh("fit", trial, trial.rows())
    assert not told["written"], f"written outside its folder: {told['written'][:5]}"


def threads_get_the_same_bits(trial: Trial) -> None:
    """Four threads that predict different rows at once, and a training inside a thread."""
    model, X = trial.fitted(), trial.rows(seed=8).X
    whole = predict_model(model, X).probabilities
    parts = [slice(i, i + 20) for i in range(0, len(X), 20)]
    with ThreadPoolExecutor(4) as threads:
        for part, answer in zip(parts, threads.map(lambda part: predict_model(model, X[part]).probabilities, parts), strict=True):
            assert answer.tobytes() == whole[part].tobytes(), (
                f"rows {part.start} to {part.stop - 1} differ when four threads predict at once"
            )
        answers = predict_model(threads.submit(trial.fitted, trial.rows()).result(), X).probabilities
    if trial.is_deterministic:
        assert answers.tobytes() == whole.tobytes(), f"trained in a thread, the answers differ by up to {np.abs(answers - whole).max()}"


def importance_is_named_by_feature(trial: Trial) -> None:
    """Shares of one by feature name, in the features' order, the telling feature first; or None."""
    importance = trial.fitted().get_feature_importance()
    if importance is None:
        return
    assert tuple(importance) == trial.names, f"importance is of {list(importance)}, not of {list(trial.names)}"
    values = np.array(list(importance.values()), np.float64)
    assert np.isfinite(values).all(), f"importance is {importance}"
    assert (values >= 0.0).all(), f"importance is {importance}"
    assert abs(values.sum() - 1.0) < 1e-6, f"importance sums to {values.sum()}"
    assert trial.names[int(values.argmax())] == trial.names[0], (
        f"the feature that tells the class is {trial.names[0]}, importance says {importance}"
    )


def training_tells_about_itself(trial: Trial) -> None:
    """Metrics that JSON can hold, with the rows it saw."""
    metrics = shared(trial.key)[1]
    told = metrics.as_dict()
    json.dumps(told, allow_nan=False)
    assert told["n_fit"] == 300, f"n_fit is {told['n_fit']} after 300 rows"
    assert told["n_stop"] in (0, 100), f"n_stop is {told['n_stop']} after 100 rows to stop on"
    assert told["seconds"] > 0.0, "a training took no time"


def an_unknown_parameter_is_refused(trial: Trial) -> None:
    """By classes that declare their parameters."""
    if issubclass(ModelRegistry.get(trial.name).Params, AnyParams):
        return
    refused(partial(ModelRegistry.create, trial.name, no_such_parameter=1), UsageError, "config/unknown-param", "an unknown parameter")


def refused(action: Callable[[], Any], kind: type[BarsmithError], code: str, what: str) -> None:
    """Assert that an action raises one typed error."""
    raised: Exception | None = None
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is told to its author
        raised = error
    told = "nothing" if raised is None else f"{type(raised).__name__}: {raised}"
    assert isinstance(raised, kind), f"{what}: {kind.__name__} {code} is due, came {told}"
    assert raised.code == code, f"{what}: {code} is due, came {raised.code}"


CHECKS: tuple[Check, ...] = (
    answers_have_their_shape,
    probabilities_stand_in_the_agreed_order,
    a_class_may_be_missing_from_train,
    one_row_gives_the_bits_it_gives_among_others,
    chunks_give_the_bits_of_the_whole,
    a_view_gives_the_bits_of_a_copy,
    nan_is_refused,
    other_features_are_refused,
    weights_matter,
    the_same_seed_gives_the_same_bits,
    training_leaves_its_input_alone,
    the_process_is_left_as_it_was,
    it_never_learns_from_the_rows_it_reports,
    being_asked_changes_nothing,
    it_learns_without_rows_to_stop_on,
    losses_are_of_the_rows_they_name,
    it_goes_on_from_its_own_checkpoint_only,
    a_loaded_model_gives_the_same_bits,
    it_works_in_a_fresh_process,
    nothing_is_written_outside_its_folder,
    threads_get_the_same_bits,
    importance_is_named_by_feature,
    training_tells_about_itself,
    an_unknown_parameter_is_refused,
)
