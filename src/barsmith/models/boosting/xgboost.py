"""XGBoost, straight on its native API; scored by our own walk over its trees."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field

from barsmith.artifacts import write_bytes
from barsmith.errors import UsageError
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.boosting.gpu import has_gpu
from barsmith.models.boosting.quantised import quantised
from barsmith.models.boosting.xgboost_files import read_forest
from barsmith.models.fitting import Progress
from barsmith.models.params import CLASSES, RowParams
from barsmith.models.registry import register
from barsmith.models.rows import checked_rows
from barsmith.models.storage import check_names, not_fitted, params_of, read_file, read_names, write_card
from barsmith.models.trees.flat_trees import FlatTrees
from barsmith.models.trees.forest import Forest, total_gain
from barsmith.parallel import cores

FILE = "booster.json"


@register(name="xgboost", family="boosting", reads="tabular")
class XGBoostModel(BaseModel):
    """Gradient-boosted trees, one for each class and round. Source: Chen & Guestrin (2016).

    Rows go left where a feature is below the threshold; a row's margins are the sums of its leaves, its probabilities their
    softmax. `X_val` decides when to stop; the rounds after the best one are dropped. Importance is the share of the total gain.
    """

    class Params(RowParams):
        n_estimators: int = Field(default=300, ge=1, le=100_000)
        learning_rate: float = Field(default=0.05, gt=0.0, le=1.0)
        max_depth: int = Field(default=6, ge=1, le=16)
        min_child_weight: float = Field(default=10.0, ge=0.0, le=1e9)
        subsample: float = Field(default=0.8, gt=0.0, le=1.0)
        colsample_bytree: float = Field(default=0.8, gt=0.0, le=1.0)
        gamma: float = Field(default=0.0, ge=0.0, le=1e9)
        reg_alpha: float = Field(default=0.0, ge=0.0, le=1e9)
        reg_lambda: float = Field(default=1.0, ge=0.0, le=1e9)
        max_bin: int = Field(default=256, ge=2, le=65_536)
        n_jobs: int | None = Field(default=None, ge=1, le=512)

        gpu: ClassVar[bool] = True

    _file = b""
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
        progress: Progress | None = None,
    ) -> TrainingMetrics:
        """X: (N, F) finite rows; y: (N,) -1, 0, +1; weights (N,). X_val may be None: then all rounds are kept."""
        import xgboost

        started, params = time.perf_counter(), self.params
        rows = checked_rows(X_train, feature_names)
        names = list(feature_names) or [f"f{i}" for i in range(rows.shape[1])]
        device = self.device()
        threads = params.n_jobs or cores()
        shape = {"feature_names": names, "max_bin": params.max_bin, "nthread": threads}
        held = None if X_val is None else checked_rows(X_val, names)
        stopping = params.early_stopping
        callbacks = [] if progress is None else [progress_bar(progress, params.n_estimators)]
        if stopping.enabled and held is not None:
            kept = {"data_name": "stop", "metric_name": "mlogloss", "save_best": True, "maximize": False}
            callbacks.append(xgboost.callback.EarlyStopping(rounds=stopping.patience, min_delta=stopping.min_delta, **kept))
        losses: dict[str, dict[str, list[float]]] = {}
        with quantised(partial(matrices, rows, held, shape), "xgboost", rows, held, names, params.max_bin) as (train, stop):
            label(train, y_train, weight_train)
            parts = [(train, "train")]
            if stop is not None:
                label(stop, y_val, weight_val)
                parts.append((stop, "stop"))
            booster = xgboost.train(
                self.library_params(device, threads, seed),
                train,
                num_boost_round=params.n_estimators,
                evals=parts,
                evals_result=losses,
                verbose_eval=False,
                callbacks=callbacks,
            )
        forest = self.take(bytes(booster.save_raw("json")))
        history = {name: [float(loss) for loss in found["mlogloss"]] for name, found in losses.items()}
        return TrainingMetrics(
            seconds=time.perf_counter() - started,
            best_iteration=forest.rounds - 1,
            stopped_early=len(history["train"]) < params.n_estimators,
            history=history,
            n_fit=len(rows),
            n_stop=0 if X_val is None else len(X_val),
            seed=seed,
            device=device,
        )

    def library_params(self, device: str, threads: int, seed: int) -> dict[str, Any]:
        names = (
            "learning_rate",
            "max_depth",
            "min_child_weight",
            "subsample",
            "colsample_bytree",
            "gamma",
            "reg_alpha",
            "reg_lambda",
            "max_bin",
        )
        fixed = {"objective": "multi:softprob", "num_class": CLASSES, "eval_metric": "mlogloss", "tree_method": "hist", "verbosity": 0}
        return {**{name: getattr(self.params, name) for name in names}, **fixed, "device": device, "nthread": threads, "seed": seed}

    def take(self, file: bytes, where: str = "") -> Forest:
        """Become the model in a file's bytes, checked."""
        forest = read_forest(file, where)
        self._file, self._forest, self._trees, self.feature_names = file, forest, FlatTrees.of(forest), forest.feature_names
        return forest

    def predict(self, X: Any) -> PredictionOutput:
        """Raises DataError `models/nan-input`, `models/shape`."""
        if self._trees is None or self._forest is None:
            raise not_fitted(self)
        return self._trees.answers(checked_rows(X, self._forest.feature_names))  # the walk itself does not look where it reads

    def get_feature_importance(self) -> dict[str, float]:
        """Share of the total gain by feature."""
        if self._forest is None:
            raise not_fitted(self)
        return total_gain(self._forest)

    def device(self) -> str:
        """`cuda` or `cpu`. Raises UsageError `config/device` where a GPU is asked for and cannot be used (XGBoost would only warn)."""
        import xgboost

        wish = self.params.device
        if wish.use_gpu is False or (wish.deterministic and wish.use_gpu != True):  # noqa: E712 - "auto" is true as well
            return "cpu"
        has_cuda = bool(xgboost.build_info().get("USE_CUDA"))
        if has_cuda and has_gpu():
            return "cuda"
        if wish.use_gpu == "auto":
            return "cpu"
        came, do = ("no NVIDIA GPU on this machine", "set device.use_gpu to auto or false")
        if not has_cuda:
            came, do = "an XGBoost built without CUDA", "pip uninstall xgboost-cpu && pip install xgboost, or set device.use_gpu to auto"
        raise UsageError("config/device", expected="a GPU that XGBoost can use", came=came, do=do, where="device.use_gpu")

    def check_machine(self) -> None:
        super().check_machine()
        self.device()

    def save(self, folder: Path) -> None:
        """`booster.json`, the library's own format, and the card."""
        if self._forest is None:
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


def matrices(rows: np.ndarray, held: np.ndarray | None, shape: dict[str, Any]) -> tuple[Any, Any]:
    """The training rows quantised, and those to stop on by the same edges. Weights would move the edges: they are set afterwards."""
    import xgboost

    train = xgboost.QuantileDMatrix(rows, **shape)
    return train, None if held is None else xgboost.QuantileDMatrix(held, ref=train, **shape)


def label(matrix: Any, y: Any, weight: np.ndarray | None) -> None:
    matrix.set_info(label=np.asarray(y, np.int32) + 1, weight=np.empty(0, np.float32) if weight is None else weight)


def progress_bar(progress: Progress, rounds: int) -> Any:
    """XGBoost's callback that tells `progress` after each round."""
    import xgboost

    class Tell(xgboost.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            progress(epoch + 1, rounds, {name: float(found["mlogloss"][-1]) for name, found in evals_log.items()})
            return False

    return Tell()
