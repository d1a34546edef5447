"""CatBoost, straight on its native API; scored by our own walk over its trees."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barsmith.errors import DataError
from barsmith.models.boosting.booster import Booster, Rows, Task
from barsmith.models.boosting.catboost_files import of_frequencies, read_trees, written
from barsmith.models.boosting.quantised import is_shared, quantised
from barsmith.models.fitting import Progress
from barsmith.models.params import CLASSES, EarlyStopping, RowParams
from barsmith.models.registry import register
from barsmith.models.trees.oblivious import ObliviousTrees

#: CatBoost's names for the two parts -> ours.
PARTS = {"learn": "train", "validation": "stop"}


@register(name="catboost", family="boosting", reads="tabular")
class CatBoostModel(Booster):
    """Gradient-boosted oblivious trees, one for all classes a round. Source: Prokhorenkova et al. (2018).

    Each level of a tree asks every row the same question: is a feature above a border. `X_val` decides when to stop; the rounds
    after the best one are dropped. A class that the training rows lack gets one row at the origin, without which CatBoost trains
    no third class. Importance is CatBoost's PredictionValuesChange, its share by feature.
    """

    class Params(RowParams):
        n_estimators: int = Field(default=300, ge=1, le=100_000)
        learning_rate: float = Field(default=0.05, gt=0.0, le=1.0)
        max_depth: int = Field(default=6, ge=1, le=12)
        reg_lambda: float = Field(default=3.0, ge=0.0, le=1e9)
        random_strength: float = Field(default=1.0, ge=0.0, le=1e9)
        subsample: float = Field(default=0.8, gt=0.0, le=1.0)
        max_bin: int = Field(default=254, ge=1, le=65_535)
        n_jobs: int | None = Field(default=None, ge=1, le=512)

        gpu: ClassVar[bool] = True

    library = "CatBoost"

    def grow(self, task: Task) -> tuple[bytes, dict[str, list[float]]]:
        """Raises DataError `models/training` where CatBoost cannot learn, as when memory runs out."""
        import catboost

        params, device = self.params, task.device
        watch = Watch(params.early_stopping if task.stop is not None else EarlyStopping(enabled=False), task.progress, params.n_estimators)
        model = catboost.CatBoost(self.library_params(device, task.threads, task.seed))
        parts = [part for part in (task.learn, task.stop) if part is not None]
        about = [value for part in parts for value in (part.X, part.y, part.weight)]
        quiet = {"log_cout": io.StringIO(), "log_cerr": io.StringIO()}  # it prints, whatever its level of logging
        called = {"callbacks": [watch]} if device == "cpu" else {}
        try:
            with quantised(partial(pools, task, params.max_bin), "catboost", *about, task.names, params.max_bin, device) as (train, stop):
                model.fit(train, eval_set=stop, use_best_model=False, **called, **quiet)
        except catboost.CatBoostError as error:
            if "constant" in str(error):  # it refuses rows that are all alike
                return unmoved(task)
            came, do = str(error).rsplit(": ", 1)[-1][:200], "correct the rows or the parameters"
            raise DataError("models/training", expected="rows that CatBoost can learn from", came=came, do=do) from error
        history = {PARTS[part]: [float(loss) for loss in found["MultiClass"]] for part, found in model.evals_result_.items()}
        if task.stop is not None and params.early_stopping.enabled:
            kept = watch.best if device == "cpu" else int(np.argmin(history["stop"]))
            model.shrink(ntree_end=kept + 1)
        return written(json_of(model)), history

    def library_params(self, device: str, threads: int, seed: int) -> dict[str, Any]:
        params, stopping = self.params, self.params.early_stopping
        given = {
            "iterations": params.n_estimators,
            "learning_rate": params.learning_rate,
            "depth": params.max_depth,
            "l2_leaf_reg": params.reg_lambda,
            "random_strength": params.random_strength,
            "border_count": params.max_bin,
        }
        drawn = {"bootstrap_type": "No"} if params.subsample == 1.0 else {"bootstrap_type": "Bernoulli", "subsample": params.subsample}
        fixed = {"loss_function": "MultiClass", "classes_count": CLASSES, "logging_level": "Silent", "allow_writing_files": False}
        place: dict[str, Any] = {"task_type": "CPU"}
        if device == "cuda":  # where CatBoost takes no callbacks
            place = {"task_type": "GPU", "devices": "0"}
            if stopping.enabled:
                place |= {"od_type": "Iter", "od_wait": stopping.patience}
        return {**given, **drawn, **fixed, **place, "thread_count": threads, "random_seed": seed}

    def read(self, file: bytes, names: Sequence[str], where: str) -> tuple[ObliviousTrees, ObliviousTrees]:
        trees = read_trees(file, where)
        return trees, trees

    def get_feature_importance(self) -> dict[str, float]:
        """Share of the change of the margins that the feature's questions make: CatBoost's PredictionValuesChange."""
        return super().get_feature_importance()

    def gpu_obstacle(self) -> tuple[str, str] | None:
        if not sees_gpu():
            return "a CatBoost that sees none", "install the NVIDIA driver that this CatBoost needs, or set device.use_gpu to auto"
        if self.params.early_stopping.enabled and self.params.early_stopping.min_delta:
            return "early_stopping.min_delta, which CatBoost has on the CPU alone", "set min_delta to 0, or device.use_gpu to auto"
        return None


class Watch:
    """CatBoost's callback: tells `progress` after each round and stops after `patience` rounds without a gain of `min_delta`."""

    def __init__(self, stopping: EarlyStopping, progress: Progress | None, rounds: int) -> None:
        self.stopping, self.progress, self.rounds = stopping, progress, rounds
        self.best, self.least = 0, float("inf")

    def after_iteration(self, info: Any) -> bool:
        losses = {PARTS[part]: found["MultiClass"][-1] for part, found in info.metrics.items()}
        done = int(info.iteration)
        if self.progress is not None:
            self.progress(done, self.rounds, losses)
        if not self.stopping.enabled:
            return True
        if losses["stop"] < self.least - self.stopping.min_delta:
            self.best, self.least = done - 1, losses["stop"]
        return done - 1 - self.best < self.stopping.patience


def pools(task: Task, max_bin: int) -> tuple[Any, Any]:
    """The training rows and those to stop on. CatBoost cannot change the labels of a pool: only trials share one.

    It quantises ahead, to the same borders, with one thread, a fit with all of them: so only where others share the rows.
    """
    train = pool(with_all_classes(task.learn), task.names)
    if task.device == "cpu" and is_shared():
        train.quantize(border_count=max_bin)
    return train, None if task.stop is None else pool(task.stop, task.names)


def pool(rows: Rows, names: Sequence[str]) -> Any:
    import catboost

    return catboost.Pool(rows.X, rows.y, weight=rows.weight, feature_names=list(names))


def with_all_classes(rows: Rows) -> Rows:
    """The rows, and one at the origin of each class 0, 1, 2 that none has."""
    lacking = np.setdiff1d(np.arange(CLASSES), rows.y).astype(rows.y.dtype)
    if not len(lacking):
        return rows
    added = np.zeros((len(lacking), rows.X.shape[1]), np.float32)
    heavier = None if rows.weight is None else np.concatenate([rows.weight, np.ones(len(lacking), np.float32)])
    return Rows(np.concatenate([rows.X, added]), np.concatenate([rows.y, lacking]), heavier)


def unmoved(task: Task) -> tuple[bytes, dict[str, list[float]]]:
    """The model of rows that nothing tells apart: how often each class came, with one row's weight more, as one tree without a question."""
    rows = with_all_classes(task.learn)
    shares = np.bincount(rows.y, rows.weight, CLASSES) + 1.0 / len(rows)
    shares /= shares.sum()
    parts = {"train": rows} if task.stop is None else {"train": rows, "stop": task.stop}
    losses = {name: [float(np.average(-np.log(shares[part.y]), weights=part.weight))] for name, part in parts.items()}
    return of_frequencies(task.names, shares), losses


def json_of(model: Any) -> bytes:
    """A model in CatBoost's JSON, which it writes to a path only: in memory where the system can, else a temporary file."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("booster"), "rb") as file:
            model.save_model(f"/proc/self/fd/{file.fileno()}", format="json")
            return file.read()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "booster.json"
        model.save_model(str(path), format="json")
        return path.read_bytes()


def sees_gpu() -> bool:
    from catboost.utils import get_gpu_device_count

    return bool(get_gpu_device_count() > 0)
