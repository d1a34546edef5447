"""A model on trial: the small market of rows that it is checked on, and the trainings that the checks share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from barsmith.features.past import PRICES
from barsmith.models import BaseModel, ModelRegistry, TrainingMetrics, fit_model
from barsmith.models.fitting import reads

FEATURES = ("pull", "second", "third", "fourth", "fifth", "sixth")
#: The shape of one row, by what a model reads; windows of several timeframes hold prices.
SHAPES: dict[str, tuple[int, ...]] = {
    "tabular": (len(FEATURES),),
    "predictions": (len(FEATURES),),
    "sequence": (8, len(FEATURES)),
    "multires": (3, 8, len(PRICES)),
}
SEED = 7


def names_of(reads: str) -> tuple[str, ...]:
    """The names of the last axis."""
    return PRICES if reads == "multires" else FEATURES


@dataclass(frozen=True, eq=False)
class Rows:
    """X (N, ...) float32, y (N,) int8, weight (N,) float32."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray

    @classmethod
    def drawn(cls, reads: str, *, n: int = 400, seed: int = SEED) -> Rows:
        """Random rows whose class is mostly told by the first column: above 0.5 long, below -0.5 short."""
        random = np.random.default_rng(seed)
        X = random.normal(size=(n, *SHAPES[reads])).astype(np.float32)
        steps = X[0].size // X.shape[-1]
        y = told_by(X.reshape(n, steps, -1)[:, :, 0].mean(axis=1) * np.sqrt(steps) + random.normal(0.0, 0.3, n))
        return cls(X, y, random.uniform(0.5, 1.5, n).astype(np.float32))

    def __getitem__(self, rows: Any) -> Rows:
        return Rows(self.X[rows], self.y[rows], self.weight[rows])

    def parted(self) -> tuple[Rows, Rows]:
        """Three quarters to learn from, and the rest to stop on."""
        cut = len(self.y) * 3 // 4
        return self[:cut], self[cut:]


def told_by(pull: np.ndarray) -> np.ndarray:
    """(N,) int8: the class of each pull."""
    return (pull > 0.5).astype(np.int8) - (pull < -0.5).astype(np.int8)


@dataclass(frozen=True)
class Trial:
    """A registered model, its parameters and an empty folder to work in."""

    name: str
    folder: Path
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, folder: Path, **params: Any) -> Trial:
        """Raises UsageError where this machine cannot train the model."""
        ModelRegistry.create(name, **params).check_machine()
        return cls(name, folder, params)

    @property
    def reads(self) -> str:
        return reads(self.new())

    @property
    def names(self) -> tuple[str, ...]:
        """The feature names of its rows."""
        return names_of(self.reads)

    @property
    def is_deterministic(self) -> bool:
        """Whether it is registered as giving the same bits for the same seed on the CPU."""
        return ModelRegistry.get(self.name).info.deterministic_on_cpu

    def new(self) -> BaseModel:
        return ModelRegistry.create(self.name, **self.params)

    def rows(self, *, n: int = 400, seed: int = SEED) -> Rows:
        return Rows.drawn(self.reads, n=n, seed=seed)

    def fitted(self, train: Rows | None = None) -> BaseModel:
        """A model of the trial's own rows, the same one for all checks; of other rows a new one."""
        return shared(self.key)[0] if train is None else self.trained(*train.parted())[0]

    @property
    def key(self) -> tuple[type[BaseModel], str]:
        return ModelRegistry.get(self.name), json.dumps(self.params, sort_keys=True)

    def trained(self, fit: Rows, stop: Rows | None, *, seed: int = SEED, **keywords: Any) -> tuple[BaseModel, TrainingMetrics]:
        """A new model, fitted on some rows and stopped on others."""
        model = self.new()
        to_stop_on = (None, None) if stop is None else (stop.X, stop.y)
        keywords = {"weight_val": None if stop is None else stop.weight, **keywords}
        return model, fit_model(model, fit.X, fit.y, *to_stop_on, weight_train=fit.weight, feature_names=self.names, seed=seed, **keywords)


@lru_cache(maxsize=4)
def shared(key: tuple[type[BaseModel], str]) -> tuple[BaseModel, TrainingMetrics]:
    """A class and its parameters, trained once: most checks only ask it."""
    trial = Trial(key[0].info.name, Path(), json.loads(key[1]))
    return trial.trained(*trial.rows().parted())
