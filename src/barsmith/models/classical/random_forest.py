"""A random forest: scikit-learn grows it, our own walk over its trees answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from barsmith.errors import IntegrityError
from barsmith.models.array_files import read_arrays, refuse, write_arrays
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.importance import log_loss
from barsmith.models.params import CLASSES, EarlyStopping, RowParams
from barsmith.models.registry import register
from barsmith.models.rows import checked_rows
from barsmith.models.storage import not_fitted, params_of, read_names, write_card
from barsmith.models.trees.flat_trees import FlatTrees
from barsmith.models.trees.forest import Forest, above, check_links, structure_error, total_gain
from barsmith.parallel import cores

#: Array of the forest -> its type and axes in the file.
FILES = {
    "starts": ("<i8", 1),
    "left": ("<i4", 1),
    "right": ("<i4", 1),
    "feature": ("<i4", 1),
    "threshold": ("<f4", 1),
    "leaf": ("<f8", 2),
    "gain": ("<f8", 1),
}


@register(name="random_forest", family="classical", reads="tabular", needs_scaling=False)
class RandomForestModel(BaseModel):
    """Trees grown on random rows and features, whose class shares are averaged. Source: Breiman (2001).

    Rows go left where a feature is at most the threshold. `X_val` only shows the loss on rows not learned from. Importance is the
    mean decrease of impurity. A row is answered in microseconds and with scikit-learn's probabilities, for which it takes 22 ms.
    """

    class Params(RowParams):
        n_estimators: int = Field(default=200, ge=1, le=10_000)
        max_depth: int = Field(default=8, ge=1, le=32)
        min_samples_leaf: int = Field(default=50, ge=1, le=10**9)
        max_features: float | None = Field(default=None, gt=0.0, le=1.0)
        max_samples: float = Field(default=0.5, gt=0.0, le=1.0)
        criterion: Literal["gini", "entropy"] = "gini"
        n_jobs: int | None = Field(default=None, ge=1, le=512)
        early_stopping: EarlyStopping = EarlyStopping(enabled=False)

        rounds: ClassVar[bool] = False

    _forest: Forest | None = None
    _trees: FlatTrees | None = None

    def fit(
        self,
        X_train: Any,
        y_train: Any,
        X_val: Any = None,
        y_val: Any = None,
        *,
        weight_train: np.ndarray | None = None,
        weight_val: np.ndarray | None = None,
        feature_names: Sequence[str] = (),
        seed: int = 42,
    ) -> TrainingMetrics:
        """X: (N, F) finite rows; y: (N,) -1, 0, +1; weights (N,)."""
        from sklearn.ensemble import RandomForestClassifier

        started, params = time.perf_counter(), self.params
        rows = checked_rows(X_train, feature_names)
        names = tuple(feature_names) or tuple(f"f{i}" for i in range(rows.shape[1]))
        given = {name: getattr(params, name) for name in ("n_estimators", "max_depth", "min_samples_leaf", "criterion")}
        drawn = {"max_samples": params.max_samples if params.max_samples < 1.0 else None, "max_features": params.max_features or "sqrt"}
        grown = RandomForestClassifier(**given, **drawn, n_jobs=params.n_jobs or cores(), random_state=seed)
        grown.fit(rows, np.asarray(y_train, np.int8), sample_weight=weight_train)
        self.take(Forest.joined(names, np.zeros(CLASSES), [tree_arrays(each.tree_, grown.classes_) for each in grown.estimators_]))
        history = {"train": [log_loss(y_train, self.predict(X_train).probabilities, weight_train)]}
        if X_val is not None:
            history["stop"] = [log_loss(y_val, self.predict(X_val).probabilities, weight_val)]
        return TrainingMetrics(seconds=time.perf_counter() - started, history=history, n_fit=len(rows), n_stop=0, seed=seed)

    def take(self, forest: Forest) -> None:
        """Become a checked forest."""
        self._forest, self._trees, self.feature_names = forest, FlatTrees.of(forest, is_mean=True), forest.feature_names

    def predict(self, X: Any) -> PredictionOutput:
        """Raises DataError `models/nan-input`, `models/shape`."""
        if self._trees is None or self._forest is None:
            raise not_fitted(self)
        return self._trees.answers(checked_rows(X, self._forest.feature_names))  # the walk itself does not look where it reads

    def get_feature_importance(self) -> dict[str, float]:
        """Mean decrease of impurity by feature, sums to one."""
        if self._forest is None:
            raise not_fitted(self)
        return total_gain(self._forest)

    def save(self, folder: Path) -> None:
        """Seven `.npy` files and the card."""
        if self._forest is None:
            raise not_fitted(self)
        write_arrays(folder, {name: getattr(self._forest, name).astype(kind) for name, (kind, _) in FILES.items()})
        write_card(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises IntegrityError `bundle/format`, `bundle/structure`, `bundle/missing-file`."""
        model = cls(params_of(cls, folder))
        try:
            model.take(checked_forest(read_names(folder), read_arrays(folder, FILES), folder))
        except IntegrityError as error:
            if error.code != "bundle/structure":
                raise
            raise structure_error(error.expected, error.came, error.where or str(folder)) from None
        return model


def tree_arrays(tree: Any, classes: np.ndarray) -> dict[str, np.ndarray]:
    """One of scikit-learn's trees; each tree's gains sum to one."""
    left, right = tree.children_left.astype(np.int64), tree.children_right.astype(np.int64)
    inner = left >= 0
    leaf = np.zeros((len(left), CLASSES))
    leaf[:, classes + 1] = np.where(inner[:, None], 0.0, tree.value[:, 0, :])
    mass = tree.weighted_n_node_samples * tree.impurity
    gain = np.where(inner, mass - mass[left] - mass[right], 0.0).clip(0.0)
    return {
        "left": np.where(inner, left, -1),
        "right": np.where(inner, right, -1),
        "feature": np.where(inner, tree.feature, 0).astype(np.int64),
        "threshold": above(np.where(inner, tree.threshold, 0.0)),
        "leaf": leaf,
        "gain": gain / max(float(gain.sum()), 1e-300),
    }


def checked_forest(names: Sequence[str], arrays: dict[str, np.ndarray], folder: Path) -> Forest:
    """The arrays of a file as a forest; raises IntegrityError `bundle/structure` for what is none."""
    starts, left, leaf = arrays["starts"], arrays["left"], arrays["leaf"]
    n = len(left)
    lengths = {name: len(arrays[name]) for name in ("right", "feature", "threshold", "leaf", "gain")}
    if set(lengths.values()) != {n} or leaf.shape[1] != CLASSES:
        refuse(f"{n} nodes in all files", str(lengths), folder)
    if len(starts) < 2 or starts[0] != 0 or starts[-1] != n or (np.diff(starts) < 1).any():
        refuse("trees one after the other", f"{len(starts)} starts", folder)
    whole = {name: arrays[name].astype(np.int64) for name in ("left", "right", "feature")}
    for number, (a, b) in enumerate(pairwise(starts.tolist())):
        check_links(whole["left"][a:b], whole["right"][a:b], whole["feature"][a:b], len(names), f"tree {number}")
    if ((whole["feature"] < 0) | (whole["feature"] >= len(names))).any():
        refuse(f"features 0 to {len(names) - 1}", "others", folder)
    is_leaf, total = left < 0, leaf[:, 0] + leaf[:, 1] + leaf[:, 2]
    if (leaf < 0.0).any() or (np.abs(total - is_leaf) > 1e-9).any() or (arrays["gain"] < 0.0).any() or (arrays["gain"] > 1.0).any():
        refuse("shares of the classes at the leaves, and gains from 0 to 1", "others", folder)
    return Forest(feature_names=tuple(names), base=np.zeros(CLASSES), **{**arrays, **whole})
