"""What the three boosters share: the course of a fit, the device, the file, and the walk over its trees that answers."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from barsmith.artifacts import write_bytes
from barsmith.errors import UsageError
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.boosting.gpu import has_gpu
from barsmith.models.fitting import Progress
from barsmith.models.rows import checked_rows, named
from barsmith.models.storage import check_names, not_fitted, params_of, read_file, read_names, write_card
from barsmith.parallel import cores

NO_CARD = ("no NVIDIA GPU on this machine", "set device.use_gpu to auto or false")


class Trees(Protocol):
    """What a reader of a file found. rounds: how many were kept."""

    @property
    def feature_names(self) -> tuple[str, ...]: ...
    @property
    def rounds(self) -> int: ...
    def importance(self) -> dict[str, float]: ...


class TreeScorer(Protocol):
    """The compiled walk over them. X: (N, F) finite float32 rows in C order."""

    def answers(self, X: np.ndarray) -> PredictionOutput: ...


@dataclass(frozen=True, eq=False)
class Rows:
    """X: (N, F) float32. y: (N,) int32 0, 1, 2, as the libraries number classes. weight: (N,) or None."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    @classmethod
    def of(cls, X: np.ndarray, y: Any, weight: Any) -> Self:
        return cls(X, np.asarray(y, np.int32) + 1, weight)

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Task:
    """One training. stop: the rows that decide when to stop; None keeps all rounds."""

    learn: Rows
    stop: Rows | None
    names: tuple[str, ...]
    device: str
    threads: int
    seed: int
    progress: Progress | None


class Booster(BaseModel):
    """Gradient-boosted trees of a library: everything but how it is called and how its file is read."""

    #: The file in the model's folder, and the library's name for a reader.
    file_name: ClassVar[str] = "booster.json"
    library: ClassVar[str]

    _file = b""
    _forest: Any = None
    _trees: TreeScorer | None = None

    @abstractmethod
    def grow(self, task: Task) -> tuple[bytes, Mapping[str, Sequence[float]]]:
        """The file of the rounds to keep, and the loss after every round of `train` and, where there are such rows, `stop`."""

    @abstractmethod
    def read(self, file: bytes, names: Sequence[str], where: str) -> tuple[Trees, TreeScorer]:
        """What a file of features of these names holds, checked."""

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
        started = time.perf_counter()
        rows = checked_rows(X_train, feature_names)
        names = named(rows, feature_names)
        stop = None if X_val is None else Rows.of(checked_rows(X_val, names), y_val, weight_val)
        threads, device = self.params.n_jobs or cores(), self.device()
        file, history = self.grow(Task(Rows.of(rows, y_train, weight_train), stop, names, device, threads, seed, progress))
        kept = self.take(file, names).rounds
        return TrainingMetrics(
            seconds=time.perf_counter() - started,
            best_iteration=kept - 1,
            stopped_early=len(history["train"]) < self.params.n_estimators,
            history=history,
            n_fit=len(rows),
            n_stop=0 if stop is None else len(stop),
            seed=seed,
            device=device,
        )

    def take(self, file: bytes, names: Sequence[str], where: str = "") -> Trees:
        """Become the model in a file's bytes, checked; names: its features."""
        forest, scorer = self.read(file, names, where)
        self._file, self._forest, self._trees, self.feature_names = file, forest, scorer, tuple(names)
        return forest

    def predict(self, X: Any) -> PredictionOutput:
        """Raises DataError `models/nan-input`, `models/shape`."""
        if self._trees is None:
            raise not_fitted(self)
        return self._trees.answers(checked_rows(X, self._forest.feature_names))  # the walk itself does not look where it reads

    def get_feature_importance(self) -> dict[str, float]:
        """Share of the total gain of all splits on the feature."""
        if self._trees is None:
            raise not_fitted(self)
        return dict(self._forest.importance())

    def device(self) -> str:
        """`cuda` or `cpu`. Raises UsageError `config/device` where a GPU is asked for and cannot be used."""
        wish = self.params.device
        if wish.use_gpu is False or (wish.deterministic and wish.use_gpu is not True):
            return "cpu"
        obstacle = self.gpu_obstacle() if has_gpu() else NO_CARD
        if obstacle is None or wish.use_gpu == "auto":
            return "cuda" if obstacle is None else "cpu"
        expected, (came, do) = f"a GPU that {self.library} can use", obstacle
        raise UsageError("config/device", expected=expected, came=came, do=do, where="device.use_gpu")

    @abstractmethod
    def gpu_obstacle(self) -> tuple[str, str] | None:
        """Why the GPU of this machine cannot be used, and what to do about it; None where it can."""

    def check_machine(self) -> None:
        super().check_machine()
        self.device()

    def save(self, folder: Path) -> None:
        """The file and the card."""
        if self._trees is None:
            raise not_fitted(self)
        write_bytes(folder / self.file_name, self._file)
        write_card(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises IntegrityError `bundle/format`, `bundle/structure`, `bundle/shape`."""
        model, path, names = cls(params_of(cls, folder)), folder / cls.file_name, read_names(folder)
        model.take(read_file(path), names, str(path))
        check_names(model._forest.feature_names, names, str(folder))
        return model
