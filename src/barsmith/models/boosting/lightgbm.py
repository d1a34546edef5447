"""LightGBM, straight on its native API; scored by our own walk over its trees."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barsmith.models.boosting.booster import Booster, Rows, Task
from barsmith.models.boosting.lightgbm_files import read_forest
from barsmith.models.boosting.quantised import quantised
from barsmith.models.fitting import Progress
from barsmith.models.params import CLASSES, RowParams
from barsmith.models.registry import register
from barsmith.models.storage import check_names
from barsmith.models.trees.flat_trees import FlatTrees
from barsmith.models.trees.forest import Forest

PLAIN = re.compile(r"[A-Za-z0-9_.+/%-]{1,200}")
#: Training parameter -> its name in the library.
LIBRARY_NAMES = {
    "learning_rate": "learning_rate",
    "num_leaves": "num_leaves",
    "min_child_samples": "min_data_in_leaf",
    "min_child_weight": "min_sum_hessian_in_leaf",
    "subsample": "bagging_fraction",
    "colsample_bytree": "feature_fraction",
    "min_split_gain": "min_gain_to_split",
    "reg_alpha": "lambda_l1",
    "reg_lambda": "lambda_l2",
}


@register(name="lightgbm", family="boosting", reads="tabular")
class LightGBMModel(Booster):
    """Gradient-boosted trees that grow where the gain is largest, one for each class and round. Source: Ke et al. (2017).

    Rows go left where a feature is at most the threshold; a row's margins are the sums of its leaves, its probabilities their
    softmax. `X_val` decides when to stop; the rounds after the best one are dropped. Importance is the share of the total gain.
    """

    class Params(RowParams):
        n_estimators: int = Field(default=300, ge=1, le=100_000)
        learning_rate: float = Field(default=0.05, gt=0.0, le=1.0)
        num_leaves: int = Field(default=31, ge=2, le=131_072)
        max_depth: int | None = Field(default=None, ge=1, le=63)
        min_child_samples: int = Field(default=50, ge=0, le=10**9)
        min_child_weight: float = Field(default=1e-3, ge=0.0, le=1e9)
        subsample: float = Field(default=0.8, gt=0.0, le=1.0)
        colsample_bytree: float = Field(default=0.8, gt=0.0, le=1.0)
        min_split_gain: float = Field(default=0.0, ge=0.0, le=1e9)
        reg_alpha: float = Field(default=0.0, ge=0.0, le=1e9)
        reg_lambda: float = Field(default=0.0, ge=0.0, le=1e9)
        max_bin: int = Field(default=255, ge=2, le=65_535)
        n_jobs: int | None = Field(default=None, ge=1, le=512)

        gpu: ClassVar[bool] = True

    library, file_name = "LightGBM", "booster.txt"

    def grow(self, task: Task) -> tuple[bytes, dict[str, list[float]]]:
        import lightgbm

        params, stopping = self.params, self.params.early_stopping
        losses: dict[str, dict[str, list[float]]] = {}
        callbacks = [lightgbm.record_evaluation(losses)]
        if task.progress is not None:
            callbacks.append(progress_bar(task.progress, params.n_estimators))
        is_watched = stopping.enabled and task.stop is not None
        if is_watched:
            callbacks.append(lightgbm.early_stopping(stopping.patience, verbose=False, min_delta=stopping.min_delta))
        shape, held = matrix_params(params.max_bin, task.threads), None if task.stop is None else task.stop.X
        build = partial(matrices, task.learn.X, held, written(task.names), shape)
        with quantised(build, "lightgbm", task.learn.X, held, task.names, params.max_bin) as (train, stop):
            label(train, task.learn)
            parts = {"train": train}
            if task.stop is not None:
                label(stop, task.stop)
                parts["stop"] = stop
            given = {**shape, **self.library_params(task.device, task.threads, task.seed)}
            if len(task.learn) * params.subsample < 1.0:
                given["bagging_fraction"] = 1.0  # else a single row is left out
            seen: dict[str, Any] = {"valid_sets": list(parts.values()), "valid_names": list(parts), "callbacks": callbacks}
            kept: dict[str, Any] = {"keep_training_booster": True}  # else it is written and read once more
            booster = lightgbm.train(given, train, num_boost_round=params.n_estimators, **seen, **kept)
        file = without_threads(booster.model_to_string(num_iteration=booster.best_iteration if is_watched else -1)).encode()
        return file, {name: [float(loss) for loss in found["multi_logloss"]] for name, found in losses.items()}

    def library_params(self, device: str, threads: int, seed: int) -> dict[str, Any]:
        given = {theirs: getattr(self.params, ours) for ours, theirs in LIBRARY_NAMES.items()}
        fixed = {"objective": "multiclass", "num_class": CLASSES, "metric": "multi_logloss", "bagging_freq": 1, "verbosity": -1}
        same_bits = {"deterministic": True, "force_col_wise": True}  # else a stop-watch chooses between two ways of adding
        depth = -1 if self.params.max_depth is None else self.params.max_depth
        return {**given, **fixed, **same_bits, "max_depth": depth, "device_type": device, "num_threads": threads, "seed": seed}

    def read(self, file: bytes, names: Sequence[str], where: str) -> tuple[Forest, FlatTrees]:
        forest = read_forest(file, where)
        if list(forest.feature_names) != written(names):
            check_names(forest.feature_names, names, where)
        forest = replace(forest, feature_names=tuple(names))
        return forest, FlatTrees.of(forest)

    def gpu_obstacle(self) -> tuple[str, str] | None:
        if trains_on_cuda():
            return None
        do = "pip install --no-binary lightgbm --config-settings=cmake.define.USE_CUDA=ON lightgbm, or set device.use_gpu to auto"
        return "a LightGBM built without CUDA", do


def without_threads(text: str) -> str:
    """The file says how many threads made it, which is nothing about the model."""
    return re.sub(r"(?m)^\[num_threads: \d+\]$", "[num_threads: 0]", text)


def written(names: Sequence[str]) -> list[str]:
    """The names as LightGBM takes them: by number where one has a character that it refuses or changes."""
    return list(names) if all(PLAIN.fullmatch(name) for name in names) else [f"Column_{i}" for i in range(len(names))]


def matrix_params(max_bin: int, threads: int) -> dict[str, Any]:
    """How the rows are quantised; nothing of it depends on labels, weights or how trees are grown."""
    return {"max_bin": max_bin, "use_missing": False, "feature_pre_filter": False, "num_threads": threads, "verbosity": -1}


def matrices(rows: np.ndarray, held: np.ndarray | None, names: list[str], shape: dict[str, Any]) -> tuple[Any, Any]:
    """The training rows quantised, and those to stop on by the same edges."""
    import lightgbm

    train = lightgbm.Dataset(rows, np.zeros(len(rows), np.float32), feature_name=names, params=shape).construct()
    if held is None:
        return train, None
    return train, train.create_valid(held, np.zeros(len(held), np.float32), params=shape).construct()


def label(matrix: Any, rows: Rows) -> None:
    matrix.set_label(rows.y.astype(np.float32))
    matrix.set_field("weight", rows.weight)
    matrix.weight = rows.weight  # LightGBM's set_weight keeps the earlier ones where there are none


def trains_on_cuda() -> bool:
    """LightGBM does not tell how it was built: it is asked to train."""
    import lightgbm

    params = {"objective": "regression", "device_type": "cuda", "verbosity": -1, "min_data_in_leaf": 1}
    try:
        lightgbm.train(params, lightgbm.Dataset(np.arange(64.0)[:, None], np.arange(64.0)), num_boost_round=1)
    except lightgbm.basic.LightGBMError:
        return False
    return True


def progress_bar(progress: Progress, rounds: int) -> Any:
    """LightGBM's callback that tells `progress` after each round."""

    def tell(state: Any) -> None:
        progress(state.iteration + 1, rounds, {part: float(loss) for part, _, loss, *_ in state.evaluation_result_list})

    return tell
