"""XGBoost, straight on its native API; scored by our own walk over its trees."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barsmith.models.boosting.booster import Booster, Rows, Task
from barsmith.models.boosting.quantised import quantised
from barsmith.models.boosting.xgboost_files import read_forest
from barsmith.models.fitting import Progress
from barsmith.models.params import CLASSES, RowParams
from barsmith.models.registry import register
from barsmith.models.trees.flat_trees import FlatTrees
from barsmith.models.trees.forest import Forest

#: Training parameters that bear the library's own names.
NAMES = (
    *("learning_rate", "max_depth", "min_child_weight", "subsample", "colsample_bytree"),
    *("gamma", "reg_alpha", "reg_lambda", "max_bin"),
)


@register(name="xgboost", family="boosting", reads="tabular")
class XGBoostModel(Booster):
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

    library = "XGBoost"

    def grow(self, task: Task) -> tuple[bytes, dict[str, list[float]]]:
        import xgboost

        params, stopping = self.params, self.params.early_stopping
        callbacks = [] if task.progress is None else [progress_bar(task.progress, params.n_estimators)]
        if stopping.enabled and task.stop is not None:
            kept = {"data_name": "stop", "metric_name": "mlogloss", "save_best": True, "maximize": False}
            callbacks.append(xgboost.callback.EarlyStopping(rounds=stopping.patience, min_delta=stopping.min_delta, **kept))
        shape = {"feature_names": list(task.names), "max_bin": params.max_bin, "nthread": task.threads}
        held = None if task.stop is None else task.stop.X
        losses: dict[str, dict[str, list[float]]] = {}
        build = partial(matrices, task.learn.X, held, shape)
        with quantised(build, "xgboost", task.learn.X, held, task.names, params.max_bin) as (train, stop):
            label(train, task.learn)
            parts = [(train, "train")]
            if task.stop is not None:
                label(stop, task.stop)
                parts.append((stop, "stop"))
            booster = xgboost.train(
                self.library_params(task.device, task.threads, task.seed),
                train,
                num_boost_round=params.n_estimators,
                evals=parts,
                evals_result=losses,
                verbose_eval=False,
                callbacks=callbacks,
            )
        return bytes(booster.save_raw("json")), {name: [float(loss) for loss in found["mlogloss"]] for name, found in losses.items()}

    def library_params(self, device: str, threads: int, seed: int) -> dict[str, Any]:
        fixed = {"objective": "multi:softprob", "num_class": CLASSES, "eval_metric": "mlogloss", "tree_method": "hist", "verbosity": 0}
        return {**{name: getattr(self.params, name) for name in NAMES}, **fixed, "device": device, "nthread": threads, "seed": seed}

    def read(self, file: bytes, names: Sequence[str], where: str) -> tuple[Forest, FlatTrees]:
        forest = read_forest(file, where)
        return forest, FlatTrees.of(forest)

    def gpu_obstacle(self) -> tuple[str, str] | None:
        """XGBoost itself would only warn."""
        import xgboost

        if xgboost.build_info().get("USE_CUDA"):
            return None
        return "an XGBoost built without CUDA", "pip uninstall xgboost-cpu && pip install xgboost, or set device.use_gpu to auto"


def matrices(rows: np.ndarray, held: np.ndarray | None, shape: dict[str, Any]) -> tuple[Any, Any]:
    """The training rows quantised, and those to stop on by the same edges. Weights would move the edges: they are set afterwards."""
    import xgboost

    train = xgboost.QuantileDMatrix(rows, **shape)
    return train, None if held is None else xgboost.QuantileDMatrix(held, ref=train, **shape)


def label(matrix: Any, rows: Rows) -> None:
    matrix.set_info(label=rows.y, weight=np.empty(0, np.float32) if rows.weight is None else rows.weight)


def progress_bar(progress: Progress, rounds: int) -> Any:
    """XGBoost's callback that tells `progress` after each round."""
    import xgboost

    class Tell(xgboost.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            progress(epoch + 1, rounds, {name: float(found["mlogloss"][-1]) for name, found in evals_log.items()})
            return False

    return Tell()
