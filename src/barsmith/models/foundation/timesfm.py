"""TimesFM as an optional door: a linear head over the forecasts of a network whose weights the user provides."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from barsmith.artifacts import make_folder, parse_json, write_json
from barsmith.config.values import Listed, Timeframe
from barsmith.errors import IntegrityError, UsageError
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.classical.logistic import LogisticModel
from barsmith.models.params import EarlyStopping, RungParams
from barsmith.models.registry import register
from barsmith.models.rows import checked_windows, named
from barsmith.models.storage import load_model, not_fitted, params_of, read_file, read_names, save_model, write_card

ABOUT = "timesfm.json"
BLOCK = 32  # series at a time, always: the library fills up what is left
LEAST = 1e-12  # a deviation below which a series counts as level


@register(name="timesfm", family="foundation", reads="multires")
class TimesFMModel(BaseModel):
    """TimesFM 2.5, its forecasts under a logistic regression. Source: Das, Kong, Sen & Zhou (2024).

    The network is not trained: each series (of rungs the closes of each timeframe, of features every feature) is forecast `steps` bars
    ahead, and the mean and nine deciles at half way and at the end, less the last value, over the window's deviation, are the rows of a
    logistic regression. `weights`: the file `model.safetensors` of google/timesfm-2.5-200m-pytorch, which barsmith never downloads; the
    saved model names it by its SHA-256 and holds the head alone.
    """

    uses_inner_slice = False

    class Params(RungParams):
        weights: str | None = None
        strategy: Literal["single", "indicators", "ingestion"] = "ingestion"
        timeframes: Annotated[tuple[Timeframe, ...], Listed] = ("5m",)
        seq_len: int = Field(default=128, ge=4, le=8192)
        steps: int = Field(default=20, ge=2, le=128)
        C: float = Field(default=1.0, gt=0.0, le=1e9)
        early_stopping: EarlyStopping = EarlyStopping(enabled=False)

        rounds: ClassVar[bool] = False

    _head: LogisticModel | None = None
    _about: dict[str, Any]
    _network: Any = None

    def fit(
        self,
        X_train: Any,
        y_train: Any,
        X_val: Any = None,
        y_val: Any = None,
        *,
        weight_train: np.ndarray | None = None,
        feature_names: Sequence[str] = (),
    ) -> TrainingMetrics:
        """X: windows, an array or a view; y: (N,) -1, 0, +1; weights (N,). X_val is not needed: nothing is stopped early."""
        started = time.perf_counter()
        windows = checked_windows(X_train, feature_names)
        digest = sha256(self.weights_file())
        rows = self.forecast_rows(windows)
        mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        deviation[deviation < LEAST] = 1.0
        self._about = {"shape": list(windows.shape[1:]), "sha256": digest, "mean": mean.tolist(), "deviation": deviation.tolist()}
        self.feature_names = named(windows, feature_names)
        self._head = LogisticModel(C=self.params.C)
        told = self._head.fit(self.scaled(rows), y_train, weight_train=weight_train)
        return TrainingMetrics(seconds=time.perf_counter() - started, history=told.history, n_fit=len(rows), notes=told.notes)

    def predict(self, X: Any) -> PredictionOutput:
        """Raises DataError `models/nan-input`, `models/shape`; UsageError `models/missing-weights`."""
        if self._head is None:
            raise not_fitted(self)
        windows = checked_windows(X, self.feature_names, self._about["shape"])
        return self._head.predict(self.scaled(self.forecast_rows(windows)))

    def scaled(self, rows: np.ndarray) -> np.ndarray:
        return ((rows - np.array(self._about["mean"])) / np.array(self._about["deviation"])).astype(np.float32)

    def forecast_rows(self, windows: Any) -> np.ndarray:
        """(N, series x 20): of each series the ten forecasts at half of `steps` and at the last, less its last value, over its deviation."""
        from barsmith.models.neural.machine import threads

        network, found = self.loaded(), []
        with threads(1):
            for first in range(0, len(windows), BLOCK):
                found.append(self.block_rows(network, series_of(windows[first : first + BLOCK])))
        return np.concatenate(found)

    def block_rows(self, network: Any, series: np.ndarray) -> np.ndarray:
        """series: (N, S, T)."""
        n, count, length = series.shape
        flat = series.reshape(n * count, length)
        _, told = network.forecast(self.params.steps, [*flat])
        size = flat.std(axis=1)[:, None, None]
        moves = (told[:, [self.params.steps // 2 - 1, self.params.steps - 1]] - flat[:, -1:, None]) / np.where(size > LEAST, size, 1.0)
        return moves.reshape(n, -1).astype(np.float64)

    def loaded(self) -> Any:
        """The library's network with the user's weights, read once. Raises UsageError `models/missing-weights`, IntegrityError."""
        if self._network is None:
            path = self.weights_file()
            if self._head is not None and sha256(path) != self._about["sha256"]:
                do = "give the weights that the model was trained with"
                raise IntegrityError("bundle/checksum", expected=self._about["sha256"], came="another file", do=do, where=str(path))
            self._network = network_of(path, self.params.seq_len)
        return self._network

    def weights_file(self) -> Path:
        """Raises UsageError `models/missing-weights`."""
        path = Path(self.params.weights or "")
        if not path.is_file():
            raise UsageError(
                "models/missing-weights",
                expected="the file of TimesFM 2.5's weights (model.safetensors of google/timesfm-2.5-200m-pytorch)",
                came="none" if self.params.weights is None else f"no file {self.params.weights}",
                do="download it and set training.weights to its path: barsmith downloads nothing",
                where="model timesfm: training.weights",
            )
        return path

    def check_machine(self) -> None:
        super().check_machine()
        self.weights_file()

    def save(self, folder: Path) -> None:
        """`head/`, `timesfm.json` (the window's shape, the scales, the SHA-256 of the weights) and the card; not the weights."""
        if self._head is None:
            raise not_fitted(self)
        make_folder(folder / "head")
        save_model(self._head, folder / "head")
        write_json(folder / ABOUT, self._about)
        write_card(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises IntegrityError `bundle/format`, `bundle/structure`."""
        model = cls(params_of(cls, folder))
        model.feature_names = read_names(folder)
        about = parse_json(read_file(folder / ABOUT), str(folder / ABOUT), code="bundle/format")
        head = load_model(folder / "head")
        width = len(head.feature_names)
        is_whole = isinstance(about, dict) and set(about) == {"shape", "sha256", "mean", "deviation"}
        if not is_whole or not isinstance(head, LogisticModel) or not len(about["mean"]) == len(about["deviation"]) == width:
            do = "restore the folder, or train and save the model again"
            raise IntegrityError("bundle/structure", expected="a head and its scales", came="others", do=do, where=str(folder))
        model._about, model._head = about, head
        return model


def series_of(windows: Any) -> np.ndarray:
    """(N, S, T) float32: of (N, R, T, 4) each rung's closes, of (N, T, F) each feature."""
    return np.ascontiguousarray(windows[..., 3] if windows.ndim == 4 else windows.transpose(0, 2, 1), np.float32)


def network_of(path: Path, context: int) -> Any:
    """The library's TimesFM 2.5 on the CPU, ready to forecast; its weights are safetensors, read strictly."""
    import timesfm
    import torch

    network = timesfm.TimesFM_2p5_200M_torch(torch_compile=False)
    network.model.device, network.model.device_count = torch.device("cpu"), 1
    network.load_checkpoint(str(path), torch_compile=False)
    network.compile(
        timesfm.ForecastConfig(
            max_context=context,
            max_horizon=128,
            normalize_inputs=True,
            per_core_batch_size=BLOCK,
            use_continuous_quantile_head=True,
            infer_is_positive=False,
            fix_quantile_crossing=True,
        )
    )
    return network


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
