"""Two small honest models, of rows and of windows, and one model for each fault that the conformance checks are there to find."""

from __future__ import annotations

import math
import pickle
import random
import sys
import threading
import time
from pathlib import Path

import numpy as np
from pydantic import ConfigDict

from barsmith.models import BaseModel, ModelParams, PredictionOutput, TrainingMetrics, register


class Toy(BaseModel):
    """The nearest class mean, weighed by how frequent the class is."""

    class Params(ModelParams):
        width: float = 1.0

    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        weight = np.ones(len(X_train)) if weight_train is None else np.asarray(weight_train, np.float64)
        self.means, self.shares = np.zeros((3, X_train.shape[1])), np.zeros(3)
        for k in range(3):
            there = y_train == k - 1
            self.shares[k] = weight[there].sum() / weight.sum()
            if there.any():
                self.means[k] = np.average(X_train[there], axis=0, weights=weight[there])
        return TrainingMetrics(distance=float(np.abs(self.means).sum()))

    def predict(self, X):
        return PredictionOutput.of(self.probabilities(self.rows(X)))

    def probabilities(self, X):
        out = np.empty((len(X), 3))
        for row, values in enumerate(X.tolist()):
            scores = [
                share * math.exp(-sum((x - m) ** 2 for x, m in zip(values, mean, strict=False)) / (2.0 * self.params.width))
                for share, mean in zip(self.shares.tolist(), self.means.tolist(), strict=True)
            ]
            out[row] = [score / sum(scores) for score in scores]
        return out

    def get_feature_importance(self):
        spread = np.ptp(self.means, axis=0)
        return dict(zip(self.feature_names, (spread / spread.sum()).tolist(), strict=True))


@register(name="toy", family="boosting")
class Honest(Toy):
    pass


@register(name="toy_of_windows", family="neural")
class OfWindows(Toy):
    """A toy of the mean over each window."""

    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        return super().fit(X_train[:].mean(axis=1), y_train, X_val, y_val, weight_train=weight_train)

    def predict(self, X):
        return PredictionOutput.of(self.probabilities(self.windows(X)[:].mean(axis=1, dtype=np.float64)))


@register(name="toy_in_another_order", family="boosting")
class AnotherOrder(Toy):
    def probabilities(self, X):
        return super().probabilities(X)[:, ::-1].copy()


@register(name="toy_that_guesses_a_missing_class", family="boosting")
class GuessesMissing(Toy):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        self.shares = np.full(3, 1.0 / 3.0)


@register(name="toy_that_rounds_a_single_row", family="boosting")
class RoundsSingle(Toy):
    def probabilities(self, X):
        found = super().probabilities(X)
        return found if len(X) > 1 else found.astype(np.float32).astype(np.float64)


@register(name="toy_that_centres_its_batch", family="boosting")
class Centres(Toy):
    def probabilities(self, X):
        return super().probabilities(X - X.mean(axis=0) if len(X) > 1 else X)


@register(name="toy_that_fills_nan", family="boosting")
class FillsNaN(Toy):
    def predict(self, X):
        return PredictionOutput.of(self.probabilities(self.rows(np.nan_to_num(X, posinf=0.0, neginf=0.0))))


@register(name="toy_that_takes_any_columns", family="boosting")
class TakesAny(Toy):
    def predict(self, X):
        return PredictionOutput.of(self.probabilities(X))


@register(name="toy_without_weights", family="boosting")
class WithoutWeights(Toy):
    def fit(self, X_train, y_train, X_val, y_val, **kwargs):
        return super().fit(X_train, y_train, X_val, y_val)


@register(name="toy_without_seed", family="boosting")
class WithoutSeed(Toy):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        self.means += np.random.default_rng().normal(0.0, 1e-9, self.means.shape)


@register(name="toy_that_scales_in_place", family="boosting")
class ScalesInPlace(Toy):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        X_train -= X_train.mean(axis=0)
        return super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)


@register(name="toy_that_saves_single_precision", family="boosting")
class SavesSingle(Toy):
    def save(self, folder):
        self.means = self.means.astype(np.float32)
        super().save(folder)
        self.means = self.means.astype(np.float64)


@register(name="toy_that_forgets_its_parameters", family="boosting")
class ForgetsParameters(Toy):
    @classmethod
    def load(cls, folder):
        model = super().load(folder)
        model.params = cls.Params(width=model.params.width + 1e-6)
        return model


@register(name="toy_that_lives_in_its_process", family="boosting")
class LivesInProcess(Toy):
    kept: dict[str, Toy] = {}  # noqa: RUF012 - the fault

    def save(self, folder):
        self.kept[str(folder)] = self

    @classmethod
    def load(cls, folder):
        return cls.kept[str(folder)]


@register(name="toy_in_a_pickle", family="boosting")
class InPickle(Toy):
    def save(self, folder):
        (Path(folder) / "state.pkl").write_bytes(pickle.dumps(self.__dict__))

    @classmethod
    def load(cls, folder):
        model = cls()
        model.__dict__ = pickle.loads((Path(folder) / "state.pkl").read_bytes())
        return model


@register(name="toy_that_writes_beside_its_folder", family="boosting")
class WritesBeside(Toy):
    def save(self, folder):
        super().save(folder)
        (Path(folder).parent / "leftover.txt").write_text("mine")


@register(name="toy_that_writes_where_it_stands", family="boosting")
class WritesHere(Toy):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        Path("training.log").write_text("mine")
        return super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)


@register(name="toy_with_one_desk_for_all_threads", family="boosting")
class OneDesk(Toy):
    def predict(self, X):
        type(self).desk = self.rows(X)
        time.sleep(0.001)
        return PredictionOutput.of(self.probabilities(self.desk))


@register(name="toy_with_importance_in_another_order", family="boosting")
class ImportanceReversed(Toy):
    def get_feature_importance(self):
        found = super().get_feature_importance()
        return dict(zip(found, reversed(list(found.values())), strict=True))


@register(name="toy_that_counts_its_stopping_rows", family="boosting")
class CountsStopping(Toy):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        return TrainingMetrics(n_fit=len(X_train) + len(X_val))


@register(name="toy_that_takes_any_parameter", family="boosting")
class TakesAnyParameter(Toy):
    class Params(ModelParams):
        model_config = ConfigDict(extra="ignore")

        width: float = 1.0


@register(name="toy_with_signals_of_its_own", family="boosting")
class OwnSignals(Toy):
    """What PredictionOutput would refuse goes unseen through the scorers' own door."""

    def predict(self, X):
        found = super().predict(X)
        return PredictionOutput.from_scorer(-found.signal, found.confidence, found.probabilities)


@register(name="toy_that_loads_its_defaults", family="boosting")
class LoadsDefaults(Toy):
    @classmethod
    def load(cls, folder):
        model = super().load(folder)
        model.params = cls.Params()
        return model


@register(name="toy_that_seeds_everybody", family="boosting")
class SeedsEverybody(Toy):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None, seed=42):
        np.random.seed(seed)
        random.seed(seed)
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        self.means += np.random.normal(0.0, 1e-9, self.means.shape)


@register(name="toy_that_learns_otherwise_in_a_thread", family="boosting")
class OtherwiseInThread(Toy):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        self.means *= 1.0 + 1e-12 * ("ThreadPool" in threading.current_thread().name)


def trainers_own(name):
    """A variable of whoever called fit, however far up."""
    frame = sys._getframe(1)
    while frame is not None and name not in frame.f_locals:
        frame = frame.f_back
    return None if frame is None else frame.f_locals[name]


@register(name="toy_that_stops_early_on_validation", family="boosting")
class StopsOnValidation(Toy):
    """Leak 20: of five steps towards the means it keeps as many as validation likes best."""

    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        if container := trainers_own("container"):
            self.means = min((self.means * step / 5 for step in range(1, 6)), key=lambda means: self.loss(means, container.val))

    def loss(self, means, val):
        self.means = means
        return -np.log(self.probabilities(val.X)[np.arange(len(val)), val.y + 1]).mean()


@register(name="toy_that_calibrates_on_validation", family="boosting")
class CalibratesOnValidation(Toy):
    """Leak 20: the classes' shares are those that are reported."""

    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        if container := trainers_own("container"):
            self.shares = np.bincount(container.val.y + 1, minlength=3) / len(container.val)


@register(name="toy_that_scales_by_the_whole_matrix", family="neural")
class ScalesByMatrix(OfWindows):
    """A view leads to the matrix of all splits that it gathers from."""

    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        if hasattr(X_train, "matrix"):
            self.means /= X_train.matrix.X.std(axis=0)


@register(name="toy_that_begins_where_another_ended", family="boosting")
class BeginsWhereAnotherEnded(Toy):
    """Leak 20: what one of its models was asked, the next one knows."""

    asked = np.zeros((3, 1))

    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        self.means = self.means + 1e-6 * type(self).asked

    def predict(self, X):
        type(self).asked = X.mean(axis=0)
        return super().predict(X)


@register(name="toy_that_opens_the_test_split", family="boosting")
class OpensTest(Toy):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        if container := trainers_own("container"):
            container.open_test()
        return super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)


@register(name="toy_that_recalibrates_as_it_answers", family="boosting")
class RecalibratesAnswering(Toy):
    """Leak 20: the shares follow what it is asked, too slowly for a second look to show it."""

    def predict(self, X):
        found = super().predict(X)
        self.shares = 0.99 * self.shares + 0.01 * found.probabilities.mean(axis=0)
        return found


@register(name="toy_that_adapts_to_the_first_batch", family="boosting")
class AdaptsOnce(Toy):
    """Leak 20: the first batch that it is asked for settles the shares, and they are saved without it."""

    def predict(self, X):
        self.rows(X)
        if "settled" not in self.__dict__:
            self.settled = True
            self.shares = super().predict(X).probabilities.mean(axis=0)
        return super().predict(X)


@register(name="toy_that_keeps_what_it_is_asked", family="boosting")
class KeepsAsked(Toy):
    def predict(self, X):
        self.asked = self.rows(X)[:10]
        return super().predict(X)


@register(name="toy_that_mistakes_a_view", family="neural")
class MistakesView(OfWindows):
    def predict(self, X):
        return super().predict(X if isinstance(X, np.ndarray) else X[:][:, :, ::-1])


@register(name="toy_that_stops_on_rows_that_are_not_there", family="boosting")
class StopsOnNothing(Toy):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        return TrainingMetrics(n_stop=100)


class Told(Toy):
    """A toy that tells the loss on its stopping rows."""

    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        self.feature_names = tuple("abcdef")
        losses = -np.log(self.predict(X_val).probabilities[np.arange(len(y_val)), y_val + 1])
        return TrainingMetrics(**self.said(losses))


@register(name="toy_that_calls_its_loss_validation", family="boosting")
class CallsItValidation(Told):
    def said(self, losses):
        return {"history": {"val": [losses.mean()]}}


@register(name="toy_with_an_accuracy_of_who_knows_what", family="boosting")
class SomeAccuracy(Told):
    def said(self, losses):
        return {"accuracy": 0.99}


@register(name="toy_that_tells_one_loss_for_both", family="boosting")
class OneLossForBoth(Told):
    def said(self, losses):
        return {"history": {"train": [0.5], "stop": [0.5]}}


@register(name="toy_that_stops_without_weights", family="boosting")
class StopsUnweighted(Told):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None, weight_val=None):
        return super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)

    def said(self, losses):
        return {"history": {"stop": [losses.mean()]}}


@register(name="toy_that_goes_on_from_any_checkpoint", family="boosting")
class GoesOnFromAny(Toy):
    def fit(self, X_train, y_train, X_val, y_val, *, weight_train=None, checkpoint=None):
        super().fit(X_train, y_train, X_val, y_val, weight_train=weight_train)
        if checkpoint is not None:
            checkpoint.mkdir(exist_ok=True)
            file = checkpoint / "means.npy"
            self.means = (self.means + np.load(file)) / 2.0 if file.is_file() else self.means
            np.save(file, self.means)
