"""What all networks share: a model's file declares `Params` and `network`, everything else is here."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import nn

from barsmith.artifacts import parse_json, write_bytes, write_json
from barsmith.datasets.rungs import RungWindows
from barsmith.datasets.windows import Windows
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.fitting import Progress
from barsmith.models.neural.batch_size import chosen_batch_size
from barsmith.models.neural.batches import OnDevice, Samples, loss_weights
from barsmith.models.neural.calibration import COLDEST, HOTTEST, MOST_BIAS, Calibration, fitted_calibration
from barsmith.models.neural.checkpoint import Checkpoint, Progressed, code_of, training_key
from barsmith.models.neural.machine import check_compiler, device_for, reproducible, seed_torch
from barsmith.models.neural.network_file import no_larger_than, read_tensors, refuse, tensor_bytes
from barsmith.models.neural.params import NetworkParams
from barsmith.models.neural.scoring import BlockScorer, WindowScorer, answers, logits_of
from barsmith.models.neural.trainer import Trainer
from barsmith.models.params import CLASSES
from barsmith.models.rows import checked_windows, named
from barsmith.models.storage import CARD, Card, not_fitted, params_of, read_card, read_file, write_card
from barsmith.parallel import cores

WEIGHTS, ABOUT = "network.safetensors", "network.json"
MOST_STEPS, MOST_RUNGS = 10_000, 64


class NetworkModel(BaseModel):
    """A network over windows (N, T, F) or (N, R, T, F), trained by the one trainer, scored on the CPU row by row.

    A model declares `class Params(NetworkParams, WindowParams)` (or RungParams) and `network`.
    """

    Params: ClassVar[type[NetworkParams]] = NetworkParams

    _network: nn.Module | None = None
    _scorer: WindowScorer | None = None
    _calibration: Calibration = Calibration()

    @abstractmethod
    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """A new network from (B, *shape) float32 to (B, n_classes) logits. shape: (T, F) or (R, T, F).

        Buffers that follow from the shape are not persistent, and are announced by `network_file.reserve` before they are computed.
        """

    def scorer(self, network: nn.Module) -> WindowScorer:
        """What answers for windows; a model with a faster way to the same numbers overrides it."""
        return BlockScorer(network)

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
        checkpoint: Path | None = None,
    ) -> TrainingMetrics:
        """X: windows, an array or a view; y: (N,) -1, 0, +1; weights (N,).

        X_val decides when to stop and calibrates the probabilities; without it all epochs are kept and nothing is calibrated.
        checkpoint: a folder that is written after each epoch; a training that was killed goes on from it, another one writes over it, and one
        that was damaged is set aside.
        """
        started, params = time.perf_counter(), self.params
        X_train = checked_windows(X_train, feature_names)
        X_val = None if X_val is None else checked_windows(X_val, feature_names, X_train.shape[1:])
        shape, device, count = tuple(X_train.shape[1:]), device_for(params.device), params.n_jobs or cores()
        with reproducible(device, count):
            seed_torch(device, seed)
            network = self.network(shape, CLASSES)
            size = chosen_batch_size(params.batch_size, network, shape, len(X_train), device)
            place = OnDevice(device)
            train = Samples.of(place, X_train, y_train, loss_weights(y_train, weight_train, params.class_weights))
            stop = None if X_val is None else Samples.of(place, X_val, y_val, loss_weights(y_val, weight_val, params.class_weights))
            trainer = Trainer(network, params, train, stop, device, size, seed, progress)
            if checkpoint is not None:
                told = {"model": self.info.name, "params": params.sections(), "shape": shape, "device": device, "threads": count}
                told |= {"batch_size": size, "seed": seed, **code_of(type(self))}
                arrays = [*arrays_of(X_train), y_train, weight_train, *arrays_of(X_val), y_val, weight_val]
                trainer.checkpoint = Checkpoint(checkpoint, training_key(told, arrays))
            done = trainer.learn()
            calibration = Calibration() if stop is None else fitted_calibration(trainer.logits(stop).cpu().numpy(), stop.y.cpu().numpy())
        self.take(network, shape, calibration)
        self.feature_names = named(X_train, feature_names)
        return self.told(trainer, done, time.perf_counter() - started, count)

    def take(self, network: nn.Module, shape: tuple[int, ...], calibration: Calibration) -> None:
        """Become this network."""
        self._network, self._calibration = network.cpu().eval().requires_grad_(False), calibration
        self.input_shape = shape
        self._scorer = self.scorer(self._network)

    def told(self, trainer: Trainer, done: Progressed, seconds: float, count: int) -> TrainingMetrics:
        """What the training tells about itself: sizes and pace beside the losses."""
        kept = done.best_epoch + 1
        own: dict[str, Any] = {
            "stop_accuracy": done.history.get("stop_accuracy", []),
            "epochs": done.epochs,
            "interrupted": trainer.interrupted,
            "batch_size": trainer.batch_size,
            "threads": count,
            "n_parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
            "temperature": self._calibration.temperature,
            "bias": list(self._calibration.bias),
            "rows_per_second": done.epochs * len(trainer.train) / max(done.seconds, 1e-9),
        }
        notes = () if trainer.checkpoint is None else trainer.checkpoint.notes
        if trainer.interrupted:
            notes += (f"stopped by hand after {done.epochs} epochs; epoch {kept} is kept",)
        if self._calibration.temperature > 0.99 * HOTTEST:
            notes += (
                "nothing of what it learned held on the stopping rows: calibrated, it says little more than how often each class came",
            )
        return TrainingMetrics(
            seconds=seconds,
            best_iteration=done.best_epoch,
            stopped_early=trainer.is_stopped,
            history={name: done.history[name] for name in ("train", "stop") if name in done.history},
            n_fit=len(trainer.train),
            n_stop=0 if trainer.stop is None else len(trainer.stop),
            seed=trainer.seed,
            device=trainer.device,
            notes=notes,
            **own,
        )

    def predict(self, X: Any) -> PredictionOutput:
        """Raises DataError `models/nan-input`, `models/shape`."""
        if self._scorer is None:
            raise not_fitted(self)
        return answers(logits_of(self._scorer, checked_windows(X, self.feature_names, self.input_shape)), self._calibration)

    def check_machine(self) -> None:
        super().check_machine()
        device_for(self.params.device)
        if self.params.compile:
            check_compiler()

    def save(self, folder: Path) -> None:
        """`network.safetensors`, `network.json` (the calibration) and the card."""
        if self._network is None:
            raise not_fitted(self)
        write_bytes(folder / WEIGHTS, tensor_bytes(self._network.state_dict()))
        write_json(folder / ABOUT, asdict(self._calibration))
        write_card(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises IntegrityError `bundle/format`, `bundle/structure`."""
        model = cls(params_of(cls, folder))
        card, calibration = read_card(folder), read_calibration(folder)
        model.feature_names, shape = tuple(card.feature_names), checked_shape(card, str(folder / CARD))
        data, where = read_file(folder / WEIGHTS), str(folder / WEIGHTS)
        with torch.random.fork_rng(devices=[]), no_larger_than(data, where):
            network = model.network(shape, CLASSES)
        network.load_state_dict(read_tensors(data, network.state_dict(), where))
        model.take(network, shape, calibration)
        return model


def checked_shape(card: Card, where: str) -> tuple[int, ...]:
    """The window's shape on the card. Raises IntegrityError `bundle/structure`."""
    shape, columns = card.input_shape, len(card.feature_names)
    limits = {2: (MOST_STEPS, columns), 3: (MOST_RUNGS, MOST_STEPS, columns)}.get(len(shape))
    if limits is None or shape[-1] != columns or not all(1 <= size <= most for size, most in zip(shape, limits, strict=True)):
        refuse("bundle/structure", f"a window's shape of {columns} features", str(shape)[:60], where)
    return tuple(shape)


def read_calibration(folder: Path) -> Calibration:
    """Raises IntegrityError `bundle/format`, `bundle/structure`."""
    where = str(folder / ABOUT)
    document = parse_json(read_file(folder / ABOUT), where, code="bundle/format")
    if not isinstance(document, dict) or set(document) != {"temperature", "bias"}:
        refuse("bundle/structure", "temperature and bias", str(document)[:60], where)
    temperature, bias = document["temperature"], document["bias"]
    if type(temperature) is not float or not COLDEST * 0.99 <= temperature <= HOTTEST * 1.01:
        refuse("bundle/structure", f"a temperature from {COLDEST} to {HOTTEST}", str(temperature)[:60], where)
    if not isinstance(bias, list) or len(bias) != CLASSES or not all(type(one) is float and abs(one) <= MOST_BIAS for one in bias):
        refuse("bundle/structure", f"three biases from {-MOST_BIAS:g} to {MOST_BIAS:g}", str(bias)[:60], where)
    return Calibration(temperature, tuple(bias))


def arrays_of(X: Any) -> list[np.ndarray]:
    """The arrays that a view's windows follow from, without a copy of the windows."""
    if isinstance(X, Windows):
        return [X.matrix.X, X.last, np.array(X.length)]
    if isinstance(X, RungWindows):
        return [X.bars.prices, X.last, np.array(X.length)]
    return [] if X is None else [np.asarray(X)]
