"""How far a training is, on the disk after every epoch: a killed one goes on from there to the same weights, bit for bit."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from barsmith.artifacts import canonical_json, make_folder, read_sealed, read_verified, storage_errors, write_bytes, write_sealed
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
    The random numbers and the learning rate of an epoch follow from the seed and its number, so none are stored.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key

    def save(self, done: Progressed, network: nn.Module, optimizer: Optimizer) -> None:
        """The tensors first, under a name of their own; the record that names them makes them count."""
        with storage_errors(self.folder, "make the checkpoint's folder"):
            make_folder(self.folder)
        file = f"epoch-{done.epochs:06d}.safetensors"
        record = write_bytes(self.folder / file, tensor_bytes(self._tensors(done.kept, network, optimizer)))
        write_sealed(self.folder / RECORD, {"key": self.key, "file": file, **record.as_dict(), "done": done.plain()})
        self._remove(path for path in self.folder.glob("*.safetensors*") if path.name != file)

    def load(self, network: nn.Module, optimizer: Optimizer) -> Progressed | None:
        """Put the network and its optimizer back to where they were; None where there is nothing of this training.

        Raises IntegrityError `integrity/...`, `bundle/...` for a checkpoint that is not as it was written.
        """
        if not (self.folder / RECORD).is_file():
            return None
        record = read_sealed(self.folder / RECORD)
        if record["key"] != self.key:
            return None
        path = self.folder / Path(record["file"]).name
        states = fresh_states(optimizer)
        expected = self._named(network.state_dict(), network.state_dict(), states)
        tensors = read_tensors(read_verified(path, record), expected, str(path))
        done = Progressed(**record["done"])
        device = next(iter(network.parameters())).device
        done.kept = {name: tensors[f"kept.{name}"].to(device) for name in network.state_dict()}
        network.load_state_dict({name: tensors[f"network.{name}"] for name in network.state_dict()})
        found = {number: {name: tensors[f"optimizer.{number}.{name}"] for name in state} for number, state in states.items()}
        optimizer.load_state_dict({"state": found, "param_groups": optimizer.state_dict()["param_groups"]})
        return done

    def _tensors(self, kept: dict[str, torch.Tensor], network: nn.Module, optimizer: Optimizer) -> dict[str, torch.Tensor]:
        return self._named(network.state_dict(), kept, optimizer.state_dict()["state"])

    @staticmethod
    def _named(
        weights: dict[str, torch.Tensor], kept: dict[str, torch.Tensor], states: dict[int, dict[str, torch.Tensor]]
    ) -> dict[str, torch.Tensor]:
        found = {f"network.{name}": tensor for name, tensor in weights.items()}
        found |= {f"kept.{name}": tensor for name, tensor in kept.items()}
        return found | {f"optimizer.{number}.{name}": tensor for number, state in states.items() for name, tensor in state.items()}

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in [*paths, *self.folder.glob(".*.tmp")]:  # and what a killed process was writing
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def fresh_states(optimizer: Optimizer) -> dict[int, dict[str, torch.Tensor]]:
    """The names and shapes that AdamW's state will have after its first step."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return {number: {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter} for number, parameter in enumerate(parameters)}


def training_key(told: dict[str, Any], arrays: Iterable[np.ndarray | None]) -> str:
    """SHA-256 of settings and arrays: two trainings with one key end with the same weights."""
    digest = hashlib.sha256(canonical_json(told))
    for array in arrays:
        if array is not None:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data)
        digest.update(b"|")
    return digest.hexdigest()
