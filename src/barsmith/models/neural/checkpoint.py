"""How far a training is, on the disk after every epoch: a killed one goes on from there to the same weights, bit for bit."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import barsmith
from barsmith.artifacts import canonical_json, make_folder, read_sealed, read_verified, storage_errors, write_bytes, write_sealed
from barsmith.errors import IntegrityError
from barsmith.models.neural.adamw import AdamW
from barsmith.models.neural.network_file import read_tensors, tensor_bytes

RECORD = "checkpoint.json"


@dataclass
class Progressed:
    """Epochs done, what they gave, and the weights that are kept: the best, or the last where nothing judges them."""

    epochs: int = 0
    best_epoch: int = -1
    best_loss: float | None = None
    waited: int = 0
    seconds: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)
    kept: dict[str, torch.Tensor] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "kept"}


class Checkpoint:
    """A folder with the last whole epoch: the weights, the kept ones and the optimizer's moments in safetensors, the rest in JSON.

    key: of everything that decides the weights; a checkpoint with another key belongs to another training and is written over.
    notes: what there is to tell about one that was damaged. The random numbers and the learning rate of an epoch follow from the seed
    and its number, so none are stored.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key
        self.notes: tuple[str, ...] = ()

    def save(self, done: Progressed, network: nn.Module, optimizer: AdamW) -> None:
        """The tensors first, under a name of their own; the record that names them makes them count."""
        with storage_errors(self.folder, "make the checkpoint's folder"):
            make_folder(self.folder)
        file = f"epoch-{done.epochs:06d}.safetensors"
        record = write_bytes(self.folder / file, tensor_bytes(named(network.state_dict(), done.kept, optimizer)))
        write_sealed(self.folder / RECORD, {"key": self.key, "file": file, **record.as_dict(), "done": done.plain()})
        self._remove(path for path in self.folder.glob("*.safetensors*") if path.name != file)

    def load(self, network: nn.Module, optimizer: AdamW) -> Progressed | None:
        """Put the network and its optimizer back to where they were; None where there is nothing of this training.

        A checkpoint that is not as it was written is set aside, beside its folder, and the training begins anew.
        """
        if not (self.folder / RECORD).is_file():
            return None
        try:
            return self._loaded(network, optimizer)
        except IntegrityError as problem:
            aside = self._set_aside()
            self.notes = (f"DAMAGED CHECKPOINT: {problem.came} in {self.folder}; it lies in {aside} now, and training began anew",)
            return None

    def _loaded(self, network: nn.Module, optimizer: AdamW) -> Progressed | None:
        record = read_sealed(self.folder / RECORD)
        if record["key"] != self.key:
            return None
        path = self.folder / Path(record["file"]).name
        weights = network.state_dict()
        tensors = read_tensors(read_verified(path, record), named(weights, weights, optimizer), str(path))
        done = Progressed(**record["done"])
        done.kept = {name: tensors[f"kept.{name}"].to(weight.device) for name, weight in weights.items()}
        network.load_state_dict({name: tensors[f"network.{name}"] for name in weights})
        optimizer.load({name: tensors[f"optimizer.{name}"] for name in optimizer.state})
        return done

    def _set_aside(self) -> Path:
        """The folder's new place, NAME.damaged or NAME.damaged-2."""
        names = (f"{self.folder.name}.damaged{suffix}" for suffix in chain([""], (f"-{n}" for n in count(2))))
        aside = next(path for name in names if not (path := self.folder.with_name(name)).exists())
        with storage_errors(self.folder, "set the damaged checkpoint aside"):
            self.folder.rename(aside)
        return aside

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in [*paths, *self.folder.glob(".*.tmp")]:  # and what a killed process was writing
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def named(weights: dict[str, torch.Tensor], kept: dict[str, torch.Tensor], optimizer: AdamW) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint by name."""
    parts = {"network": weights, "kept": kept, "optimizer": optimizer.state}
    return {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}


def training_key(told: dict[str, Any], arrays: Iterable[np.ndarray | None]) -> str:
    """SHA-256 of settings and arrays: two trainings with one key end with the same weights."""
    digest = hashlib.sha256(canonical_json(told))
    for array in arrays:
        if array is not None:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data)
        digest.update(b"|")
    return digest.hexdigest()


def code_of(model: type) -> dict[str, str]:
    """What the weights follow from beside settings and rows: the sources of this room and of the model's classes, and the libraries' versions.

    A class that was typed and not written to a file has another answer each time: nothing of it is continued. Modules that a user's own
    model imports are not looked at.
    """
    files = {*Path(__file__).parent.glob("*.py")}
    own = ""
    for cls in model.__mro__[:-1]:
        try:
            files.add(Path(inspect.getfile(cls)))
        except (TypeError, OSError):  # no file
            own = secrets.token_hex(16)
    digest = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in sorted(files)))
    return {"code": digest.hexdigest(), "own": own, "barsmith": barsmith.__version__, "torch": torch.__version__, "numpy": np.__version__}
