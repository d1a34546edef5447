"""A small honest model, and one model for each fault that the conformance checks are there to find."""

from __future__ import annotations

import math
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


#: The fault's model -> the check that finds it.
FAULTS = {
    "toy_in_another_order": "answers_have_their_shape_and_order",
    "toy_that_guesses_a_missing_class": "a_class_may_be_missing_from_train",
    "toy_that_rounds_a_single_row": "one_row_gives_the_bits_it_gives_among_others",
    "toy_that_centres_its_batch": "chunks_give_the_bits_of_the_whole",
    "toy_that_fills_nan": "nan_is_refused",
    "toy_that_takes_any_columns": "other_features_are_refused",
    "toy_without_weights": "weights_matter",
    "toy_without_seed": "the_same_seed_gives_the_same_bits",
    "toy_that_scales_in_place": "training_leaves_its_input_alone",
    "toy_that_saves_single_precision": "a_loaded_model_gives_the_same_bits",
    "toy_that_forgets_its_parameters": "a_loaded_model_gives_the_same_bits",
    "toy_that_lives_in_its_process": "it_works_in_a_fresh_process",
    "toy_that_writes_beside_its_folder": "nothing_is_written_outside_its_folder",
    "toy_that_writes_where_it_stands": "nothing_is_written_outside_its_folder",
    "toy_with_one_desk_for_all_threads": "threads_get_the_same_bits",
    "toy_with_importance_in_another_order": "importance_is_named_by_feature",
    "toy_that_counts_its_stopping_rows": "training_tells_about_itself",
    "toy_that_takes_any_parameter": "an_unknown_parameter_is_refused",
}
