"""CatBoost, straight on its native API; scored by our own walk over its trees."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field

from barsmith.artifacts import write_bytes
from barsmith.errors import DataError, UsageError
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.boosting.catboost_files import read_trees, written
from barsmith.models.boosting.gpu import has_gpu
from barsmith.models.boosting.quantised import quantised
from barsmith.models.fitting import Progress
from barsmith.models.params import CLASSES, EarlyStopping, RowParams
from barsmith.models.registry import register
from barsmith.models.rows import checked_rows
from barsmith.models.storage import check_names, not_fitted, params_of, read_file, read_names, write_card
from barsmith.models.trees.oblivious import ObliviousTrees
from barsmith.parallel import cores

FILE = "booster.json"
#: CatBoost's names for the two parts -> ours.
PARTS = {"learn": "train", "validation": "stop"}


@register(name="catboost", family="boosting", reads="tabular")
class CatBoostModel(BaseModel):
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

    _file = b""
    _trees: ObliviousTrees | None = None

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
        progress: Progress | None = None,
    ) -> TrainingMetrics:
        """X: (N, F) finite rows; y: (N,) -1, 0, +1; weights (N,). X_val may be None: then all rounds are kept.

        Raises DataError `models/training` where CatBoost cannot learn, as when all features are constant.
        """
        import catboost

        started, params = time.perf_counter(), self.params
        rows = checked_rows(X_train, feature_names)
        names = list(feature_names) or [f"f{i}" for i in range(rows.shape[1])]
        device = self.device()
        held = None if X_val is None else checked_rows(X_val, names)
        labels = (np.asarray(y_train, np.int32) + 1, weight_train, None if held is None else np.asarray(y_val, np.int32) + 1, weight_val)
        watch = Watch(params.early_stopping if held is not None else EarlyStopping(enabled=False), progress, params.n_estimators)
        model = catboost.CatBoost(self.library_params(device, params.n_jobs or cores(), seed))
        build = partial(pools, rows, held, labels, names, params.max_bin, device)
        quiet = {"log_cout": io.StringIO(), "log_cerr": io.StringIO()}  # it prints, whatever its level of logging
        called = {"callbacks": [watch]} if device == "cpu" else {}
        try:
            with quantised(build, "catboost", rows, held, *labels, names, params.max_bin, device) as (train, stop):
                model.fit(train, eval_set=stop, use_best_model=False, **called, **quiet)
        except catboost.CatBoostError as error:  # all features constant, no memory left
            came, do = str(error).rsplit(": ", 1)[-1][:200], "correct the rows or the parameters"
            raise DataError("models/training", expected="rows that CatBoost can learn from", came=came, do=do) from error
        history = {PARTS[part]: [float(loss) for loss in found["MultiClass"]] for part, found in model.evals_result_.items()}
        if held is not None and params.early_stopping.enabled:
            kept = watch.best if device == "cpu" else int(np.argmin(history["stop"]))
            model.shrink(ntree_end=kept + 1)
        trees = self.take(written(json_of(model)))
        return TrainingMetrics(
            seconds=time.perf_counter() - started,
            best_iteration=trees.rounds - 1,
            stopped_early=len(history["train"]) < params.n_estimators,
            history=history,
            n_fit=len(rows),
            n_stop=0 if X_val is None else len(X_val),
            seed=seed,
            device=device,
        )

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

    def take(self, file: bytes, where: str = "") -> ObliviousTrees:
        """Become the model in a file's bytes, checked."""
        trees = read_trees(file, where)
        self._file, self._trees, self.feature_names = file, trees, trees.feature_names
        return trees

    @property
    def rounds(self) -> int:
        """Rounds that were kept."""
        return 0 if self._trees is None else self._trees.rounds

    def thresholds(self) -> np.ndarray:
        """(n,) float32, ascending: the least values that answer yes to a question."""
        if self._trees is None:
            raise not_fitted(self)
        return np.unique(self._trees.threshold)

    def predict(self, X: Any) -> PredictionOutput:
        """Raises DataError `models/nan-input`, `models/shape`."""
        if self._trees is None:
            raise not_fitted(self)
        return self._trees.answers(checked_rows(X, self._trees.feature_names))  # the walk itself does not look where it reads

    def get_feature_importance(self) -> dict[str, float]:
        """Share of the change of the margins by feature."""
        if self._trees is None:
            raise not_fitted(self)
        return self._trees.value_changes()

    def device(self) -> str:
        """`cuda` or `cpu`. Raises UsageError `config/device` where a GPU is asked for and cannot be used, or not with these parameters."""
        wish = self.params.device
        if wish.use_gpu is False or (wish.deterministic and wish.use_gpu != True):  # noqa: E712 - "auto" is true as well
            return "cpu"
        can = has_gpu() and sees_gpu() and not (self.params.early_stopping.enabled and self.params.early_stopping.min_delta)
        if can or wish.use_gpu == "auto":
            return "cuda" if can else "cpu"
        came, do = ("no NVIDIA GPU on this machine", "set device.use_gpu to auto or false")
        if has_gpu():
            came, do = ("a CatBoost that sees none", "install the NVIDIA driver that this CatBoost needs, or set device.use_gpu to auto")
            if sees_gpu():
                came, do = (
                    "early_stopping.min_delta, which CatBoost has on the CPU alone",
                    "set min_delta to 0, or device.use_gpu to auto",
                )
        raise UsageError("config/device", expected="a GPU that CatBoost can use", came=came, do=do, where="device.use_gpu")

    def check_machine(self) -> None:
        super().check_machine()
        self.device()

    def save(self, folder: Path) -> None:
        """`booster.json`, the library's own format without its dates, and the card."""
        if self._trees is None:
            raise not_fitted(self)
        write_bytes(folder / FILE, self._file)
        write_card(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises IntegrityError `bundle/format`, `bundle/structure`, `bundle/shape`."""
        model = cls(params_of(cls, folder))
        model.take(read_file(folder / FILE), str(folder / FILE))
        check_names(model.feature_names, read_names(folder), str(folder))
        return model


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


def pools(
    rows: np.ndarray, held: np.ndarray | None, labels: tuple[Any, Any, Any, Any], names: list[str], max_bin: int, device: str
) -> tuple[Any, Any]:
    """The training rows, quantised, and those to stop on. CatBoost cannot change the labels of a pool: only trials share one."""
    train = pool(*with_all_classes(rows, *labels[:2]), names)
    if device == "cpu":
        train.quantize(border_count=max_bin)
    return train, None if held is None else pool(held, *labels[2:], names)


def pool(rows: np.ndarray, y: np.ndarray, weight: np.ndarray | None, names: list[str]) -> Any:
    import catboost

    return catboost.Pool(rows, y, weight=weight, feature_names=names)


def with_all_classes(rows: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The rows, and one at the origin of each class 0, 1, 2 that none has."""
    lacking = np.setdiff1d(np.arange(CLASSES), y).astype(y.dtype)
    if not len(lacking):
        return rows, y, weight
    added = np.zeros((len(lacking), rows.shape[1]), np.float32)
    heavier = None if weight is None else np.concatenate([weight, np.ones(len(lacking), np.float32)])
    return np.concatenate([rows, added]), np.concatenate([y, lacking]), heavier


def json_of(model: Any) -> bytes:
    """A model in CatBoost's JSON, which it writes to a path only: in memory where the system can, else a temporary file."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("booster"), "rb") as file:
            model.save_model(f"/proc/self/fd/{file.fileno()}", format="json")
            return file.read()
    with tempfile.TemporaryDirectory() as folder:
        model.save_model(str(Path(folder) / FILE), format="json")
        return (Path(folder) / FILE).read_bytes()


def sees_gpu() -> bool:
    from catboost.utils import get_gpu_device_count

    return bool(get_gpu_device_count() > 0)
