"""What every model must keep, as checks that a plugin's author can run: `check_model("my_model", tmp_path)`.

In pytest, each check by itself:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_model_conforms(check, tmp_path):
        check(Trial.of("my_model", tmp_path, n_estimators=20))

A check raises AssertionError with what it saw. All run on a small market of their own: six features, the first of which tells the class.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from barsmith.errors import BarsmithError, DataError, IntegrityError, UsageError
from barsmith.models import BaseModel, ModelRegistry, PredictionOutput, TrainingMetrics, fit_model, load_model, predict_model, save_model
from barsmith.models.fitting import reads
from barsmith.models.params import AnyParams
from barsmith.testing.fresh_process import digest, run_fresh

NAMES = ("pull", "second", "third", "fourth", "fifth", "sixth")
#: The shape of one row, by what a model reads.
SHAPES: dict[str, tuple[int, ...]] = {
    "tabular": (len(NAMES),),
    "predictions": (len(NAMES),),
    "sequence": (8, len(NAMES)),
    "multires": (3, 8, len(NAMES)),
}


@dataclass(frozen=True, eq=False)
class Rows:
    """X (N, ...) float32, y (N,) int8, weight (N,) float32."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray

    @classmethod
    def drawn(cls, reads: str, *, n: int = 400, seed: int = 7) -> Rows:
        """Random rows whose class is mostly told by the first feature: above 0.5 long, below -0.5 short."""
        random = np.random.default_rng(seed)
        X = random.normal(size=(n, *SHAPES[reads])).astype(np.float32)
        pull = X.reshape(n, -1, len(NAMES))[:, :, 0].mean(axis=1) * np.sqrt(X[0].size / len(NAMES)) + random.normal(0.0, 0.3, n)
        y = (pull > 0.5).astype(np.int8) - (pull < -0.5).astype(np.int8)
        return cls(X, y, random.uniform(0.5, 1.5, n).astype(np.float32))

    def __getitem__(self, rows: Any) -> Rows:
        return Rows(self.X[rows], self.y[rows], self.weight[rows])


@dataclass(frozen=True)
class Trial:
    """A registered model, its parameters and an empty folder to work in."""

    name: str
    folder: Path
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, folder: Path, **params: Any) -> Trial:
        """Raises UsageError where this machine cannot train the model."""
        ModelRegistry.create(name, **params).check_machine()
        return cls(name, folder, params)

    @property
    def reads(self) -> str:
        return reads(ModelRegistry.create(self.name, **self.params))

    def rows(self, *, n: int = 400, seed: int = 7) -> Rows:
        return Rows.drawn(self.reads, n=n, seed=seed)

    def fitted(self, train: Rows | None = None) -> BaseModel:
        """A model of the trial's own rows, the same one for all checks; of other rows a new one."""
        return shared(self.key)[0] if train is None else self.trained(train)[0]

    @property
    def key(self) -> tuple[type[BaseModel], str]:
        return ModelRegistry.get(self.name), json.dumps(self.params, sort_keys=True)

    def trained(self, train: Rows, *, seed: int = 7) -> tuple[BaseModel, TrainingMetrics]:
        """A model fitted on three quarters of the rows, stopped on the rest."""
        cut = len(train.y) * 3 // 4
        fit, stop = train[:cut], train[cut:]
        model = ModelRegistry.create(self.name, **self.params)
        keywords: dict[str, Any] = {"weight_train": fit.weight, "weight_val": stop.weight, "feature_names": NAMES, "seed": seed}
        return model, fit_model(model, fit.X, fit.y, stop.X, stop.y, **keywords)


@lru_cache(maxsize=4)
def shared(key: tuple[type[BaseModel], str]) -> tuple[BaseModel, TrainingMetrics]:
    """A class and its parameters, trained once: most checks only ask it."""
    trial = Trial(key[0].info.name, Path(), json.loads(key[1]))
    return trial.trained(trial.rows())


Check = Callable[[Trial], None]


def check_model(name: str, folder: Path, **params: Any) -> None:
    """Run every check on a registered model; the first that fails raises AssertionError. folder: an empty one to work in."""
    for check in CHECKS:
        place = folder / check.__name__
        place.mkdir(parents=True)
        check(Trial.of(name, place, **params))


def answers_have_their_shape_and_order(trial: Trial) -> None:
    """(N,) classes, (N, 3) probabilities that sum to one; short, neutral, long are what the labels called them."""
    output, rows = predict_model(trial.fitted(), trial.rows(seed=8).X), trial.rows(seed=8)
    assert output.classes.dtype == np.int8, f"classes are {output.classes.dtype}, not int8"
    assert output.probabilities.shape == (len(rows.y), 3), f"probabilities have shape {output.probabilities.shape}"
    PredictionOutput(output.classes, output.probabilities)  # its checks, whoever made it
    for label, column in ((-1, 0), (1, 2)):
        there, elsewhere = output.probabilities[rows.y == label, column].mean(), output.probabilities[rows.y != label, column].mean()
        assert there > elsewhere, (
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
        refused(partial(model.predict, wrong), DataError, "models/shape", f"{wrong.shape[-1]} features instead of {len(NAMES)}")
    save_model(model, trial.folder / "model")
    for names in (NAMES[::-1], NAMES[:-1], (*NAMES[:-1], "other")):
        refused(
            partial(load_model, trial.folder / "model", feature_names=names),
            IntegrityError,
            "bundle/shape",
            f"the features {names}",
        )


def weights_matter(trial: Trial) -> None:
    """Long rows that weigh a hundred times as much are predicted more often."""
    rows = trial.rows()
    heavy = replace(rows, weight=np.where(rows.y == 1, 10.0, 0.1).astype(np.float32))
    with_weight, without = (predict_model(model, rows.X).probabilities[:, 2].mean() for model in (trial.fitted(heavy), trial.fitted()))
    assert with_weight > without, f"the mean probability of long is {with_weight} with heavy long rows, {without} with their own weights"


def the_same_seed_gives_the_same_bits(trial: Trial) -> None:
    """Of models that are registered as deterministic on the CPU."""
    if not ModelRegistry.get(trial.name).info.deterministic_on_cpu:
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


def a_loaded_model_gives_the_same_bits(trial: Trial) -> None:
    """Parameters and feature names come back with it, and it can be saved again."""
    model, X = trial.fitted(), trial.rows(seed=8).X
    saved = predict_model(model, X).probabilities
    for number in range(2):
        save_model(model, trial.folder / str(number))
        model = load_model(trial.folder / str(number), feature_names=NAMES)
        loaded = predict_model(model, X).probabilities
        assert loaded.tobytes() == saved.tobytes(), f"loaded, the answers differ by up to {np.abs(loaded - saved).max()}"
    assert model.feature_names == NAMES, f"loaded, the features are {model.feature_names}"
    known = ModelRegistry.create(trial.name, **trial.params).params
    assert model.params == known, f"loaded, the parameters are {model.params}, not {known}"


def it_works_in_a_fresh_process(trial: Trial) -> None:
    """A process that has only the folder answers with the same bits."""
    model, X = trial.fitted(), trial.rows(seed=8).X
    save_model(model, trial.folder / "model")
    told = run_fresh("predict", trial.name, trial.folder, {}, X)
    mine = digest(predict_model(model, X).probabilities)
    assert told["digest"] == mine, "a fresh process that loads the model answers with other bits"


def nothing_is_written_outside_its_folder(trial: Trial) -> None:
    """Fit, save, load and predict, in a process that watches what is opened for writing."""
    told = run_fresh("fit", trial.name, trial.folder, dict(trial.params), trial.rows().X, trial.rows().y)
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
        threads.submit(trial.fitted, trial.rows()).result()


def importance_is_named_by_feature(trial: Trial) -> None:
    """Shares of one by feature name, in the features' order, the telling feature first; or None."""
    importance = trial.fitted().get_feature_importance()
    if importance is None:
        return
    assert tuple(importance) == NAMES, f"importance is of {list(importance)}, not of {list(NAMES)}"
    values = np.array(list(importance.values()), np.float64)
    assert np.isfinite(values).all(), f"importance is {importance}"
    assert (values >= 0.0).all(), f"importance is {importance}"
    assert abs(values.sum() - 1.0) < 1e-6, f"importance sums to {values.sum()}"
    assert NAMES[int(values.argmax())] == NAMES[0], f"the feature that tells the class is {NAMES[0]}, importance says {importance}"


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
    answers_have_their_shape_and_order,
    a_class_may_be_missing_from_train,
    one_row_gives_the_bits_it_gives_among_others,
    chunks_give_the_bits_of_the_whole,
    nan_is_refused,
    other_features_are_refused,
    weights_matter,
    the_same_seed_gives_the_same_bits,
    training_leaves_its_input_alone,
    a_loaded_model_gives_the_same_bits,
    it_works_in_a_fresh_process,
    nothing_is_written_outside_its_folder,
    threads_get_the_same_bits,
    importance_is_named_by_feature,
    training_tells_about_itself,
    an_unknown_parameter_is_refused,
)
