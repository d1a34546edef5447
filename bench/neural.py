"""An epoch of each network beside a plain PyTorch loop over a 3D copy of the windows, and beside PyTorch Lightning.

The same network, batch, learning rate and threads in turn, the median of three turns. The plain loop draws an order, takes rows of the copy, and
does nothing else: no clipping, no schedule. Lightning is what its guide shows: a DataLoader over a TensorDataset, clipping at 1. Memory is
the peak above what the process held when the matrix of features was there, of a small network, so that it is that of the data.
"""

from __future__ import annotations

import json
import logging
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
import torch
from torch.nn import functional

from barsmith.datasets.matrix import FeatureMatrix
from barsmith.datasets.windows import Windows
from barsmith.models import ModelRegistry, fit_model
from barsmith.parallel import cores
from barsmith.pipeline.memory import peak_mib, reset_peak

LENGTH, FEATURES, ROWS, YEAR, TURNS, BATCH, RATE = 30, 150, 4096, 70_000, 3, 256, 1e-3
BESIDE_LIGHTNING = ("lstm", "tcn")


def drawn(rows: int, length: int = LENGTH) -> tuple[Windows, np.ndarray]:
    """Windows over a matrix of noise, and answers."""
    random, at = np.random.default_rng(0), np.arange(rows + length - 1)
    X = random.normal(size=(len(at), FEATURES)).astype(np.float32)
    matrix = FeatureMatrix(X, at, at * 0, np.ones(len(at), np.bool_), at * 0)
    return Windows(matrix, at[length - 1 :], length), random.choice([-1, 0, 1], rows).astype(np.int8)


def names() -> list[str]:
    """The networks that read windows."""
    known = (ModelRegistry.info(name) for name in ModelRegistry.list_all())
    return [info.name for info in known if info.family == "neural" and info.origin == "barsmith" and info.is_installed]


def params_of(name: str) -> dict[str, str]:
    """What makes it read windows of features."""
    return {"strategy": "single"} if ModelRegistry.info(name).reads == "multires" else {}


def ours(name: str, view: Windows, y: np.ndarray, **params: object) -> float:
    """Seconds of an epoch of our trainer."""
    model = ModelRegistry.create(name, max_epochs=1, batch_size=BATCH, learning_rate=RATE, **params)
    told = fit_model(model, view, y, feature_names=[f"f{i}" for i in range(FEATURES)])
    return len(y) / told.as_dict()["rows_per_second"]


def plain(name: str, copy: torch.Tensor, classes: torch.Tensor, **params: object) -> float:
    """Seconds of an epoch as a notebook writes it."""
    network = ModelRegistry.create(name, **params).network(tuple(copy.shape[1:]), 3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    network.train()
    began = time.perf_counter()
    for which in torch.randperm(len(copy)).split(BATCH):
        optimizer.zero_grad()
        functional.cross_entropy(network(copy[which]).view(-1, 3), classes[which]).backward()  # an ensemble of one is one network
        optimizer.step()
    return time.perf_counter() - began


def lightning(name: str, copy: torch.Tensor, classes: torch.Tensor) -> float:
    """Seconds of an epoch of Lightning's loop, from its first batch to its last."""
    import lightning as pl

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = ModelRegistry.create(name).network(tuple(copy.shape[1:]), 3)

        def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
            return functional.cross_entropy(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=RATE, weight_decay=0.01)

        def on_train_epoch_start(self) -> None:
            self.began = time.perf_counter()

        def on_train_epoch_end(self) -> None:
            self.seconds = time.perf_counter() - self.began

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(copy, classes), batch_size=BATCH, shuffle=True)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    module = Module()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it advises more workers: with windows in memory they only copy
        pl.Trainer(max_epochs=1, accelerator="cpu", gradient_clip_val=1.0, **quiet).fit(module, loader)
    return float(module.seconds)


def timed(name: str) -> dict:
    """Seconds of an epoch over a year's windows of features at the pace of `ROWS`, and ratios of the medians."""
    view, y = drawn(ROWS)
    params = params_of(name)
    copy, classes = torch.from_numpy(np.asarray(view)), torch.from_numpy(y.astype(np.int64) + 1)
    found: dict[str, list[float]] = {"barsmith": [], "plain loop": [], "lightning": []}
    for _ in range(TURNS):
        found["barsmith"].append(ours(name, view, y, **params))
        found["plain loop"].append(plain(name, copy, classes, **params))
        if name in BESIDE_LIGHTNING:
            found["lightning"].append(lightning(name, copy, classes))
    median = {who: statistics.median(seconds) for who, seconds in found.items() if seconds}
    year = {f"{who}, s for {YEAR:,} windows": round(seconds * YEAR / ROWS, 1) for who, seconds in median.items()}
    return year | {f"{who} / barsmith": round(seconds / median["barsmith"], 2) for who, seconds in median.items() if who != "barsmith"}


def peak(way: str, length: int) -> float:
    """MiB above what was held before, of an epoch over a year's windows by a small network; run in a process of its own."""
    view, y = drawn(YEAR, length)
    few = view.take(slice(0, 2 * BATCH))
    ours("gru", few, y[: 2 * BATCH], hidden=8, layers=1)  # what PyTorch reserves once
    reset_peak()
    before = peak_mib()
    if way == "ours":
        ours("gru", view, y, hidden=8, layers=1)
    else:
        plain("gru", torch.from_numpy(np.asarray(view)), torch.from_numpy(y.astype(np.int64) + 1), hidden=8, layers=1)
    return peak_mib() - before


def measure() -> dict:
    """Times of every network, memory at two lengths of the window."""
    torch.set_num_threads(cores())
    memory: dict[str, dict] = {}
    for length in (30, 60):
        told = {}
        for way in ("ours", "copy"):
            command = [sys.executable, __file__, "peak", way, str(length)]
            told[way] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        matrix = (YEAR + length) * FEATURES * 4 / 2**20
        memory[f"windows of {length}"] = {
            "matrix MiB": round(matrix),
            "barsmith MiB above it": round(told["ours"]),
            "plain loop MiB above it": round(told["copy"]),
            "plain loop / barsmith": round(told["copy"] / told["ours"], 1),
            "plain loop / barsmith, with the matrix": round((told["copy"] + matrix) / (told["ours"] + matrix), 1),
        }
    shape = f"{LENGTH} x {FEATURES}, batch {BATCH}, {cores()} threads"
    return {"claim": "Networks", "windows": shape, **{name: timed(name) for name in names()}, "memory": memory}


if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        print(peak(sys.argv[2], int(sys.argv[3])))
    else:
        print(json.dumps(measure(), indent=1))
