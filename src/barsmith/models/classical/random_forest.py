"""A random forest: scikit-learn grows it, our own walk over its trees answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from barsmith.errors import IntegrityError
from barsmith.models.array_files import read_arrays, write_arrays
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.classical.solving import losses
from barsmith.models.params import CLASSES, EarlyStopping, RowParams
from barsmith.models.refusals import broken, structure_error
from barsmith.models.registry import register
from barsmith.models.rows import checked_rows, named
from barsmith.models.storage import not_fitted, params_of, read_names, write_card
from barsmith.models.trees.flat_trees import FlatTrees
from barsmith.models.trees.forest import Forest, above, check_links, ends
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
    mean decrease of impurity. The answers are scikit-learn's probabilities, but for their last bits.
    """

    uses_inner_slice = False

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
        names = named(rows, feature_names)
        given = {name: getattr(params, name) for name in ("n_estimators", "max_depth", "min_samples_leaf", "criterion")}
        drawn = {"max_samples": params.max_samples if params.max_samples < 1.0 else None, "max_features": params.max_features or "sqrt"}
        grown = RandomForestClassifier(**given, **drawn, n_jobs=params.n_jobs or cores(), random_state=seed)
        grown.fit(rows, np.asarray(y_train, np.int8), sample_weight=weight_train)
        trees = [tree_arrays(each.tree_, grown.classes_) for each in grown.estimators_]
        joined = {name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}
        self.take(Forest(names, np.zeros(CLASSES), ends(len(tree["left"]) for tree in trees), **joined))
        history = losses(self, (X_train, y_train, weight_train), (X_val, y_val, weight_val))
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
        return self._forest.importance()

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
        arrays = read_arrays(folder, FILES)
        try:
            model.take(checked_forest(read_names(folder), arrays))
        except IntegrityError as error:
            raise structure_error(error.expected, error.came, str(folder)) from None
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


def checked_forest(names: tuple[str, ...], arrays: dict[str, np.ndarray]) -> Forest:
    """The arrays of a file as a forest; raises IntegrityError `bundle/structure` for what is none."""
    starts, left, leaf = arrays["starts"], arrays["left"], arrays["leaf"]
    n = len(left)
    lengths = {name: len(arrays[name]) for name in ("right", "feature", "threshold", "leaf", "gain")}
    if set(lengths.values()) != {n} or leaf.shape[1] != CLASSES:
        broken(f"{n} nodes in all files", str(lengths))
    if len(starts) < 2 or starts[0] != 0 or starts[-1] != n or (np.diff(starts) < 1).any():
        broken("trees one after the other", f"{len(starts)} starts")
    whole = {name: arrays[name].astype(np.int64) for name in ("left", "right", "feature")}
    inner = check_links(starts, whole["left"], whole["right"], whole["feature"], len(names))
    total = leaf[:, 0] + leaf[:, 1] + leaf[:, 2]
    if (leaf < 0.0).any() or (np.abs(total - ~inner) > 1e-9).any() or (arrays["gain"] < 0.0).any() or (arrays["gain"] > 1.0).any():
        broken("shares of the classes at the leaves, and gains from 0 to 1", "others")
    return Forest(feature_names=names, base=np.zeros(CLASSES), **{**arrays, **whole})
