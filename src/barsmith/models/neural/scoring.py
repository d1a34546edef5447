"""From windows to probabilities on the CPU: a window's bits are its own, whatever stands beside it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from barsmith.datasets.views import View
from barsmith.errors import DataError
from barsmith.models.base import PredictionOutput
from barsmith.models.neural.calibration import Calibration
from barsmith.models.neural.machine import threads
from barsmith.models.params import CLASSES
from barsmith.models.softmax import softmax_rows
from barsmith.parallel import cores

AT_ONCE = 256  # windows that a thread takes
BLOCK = 16  # windows at a time, always: a matrix product of another size may add in another order


class WindowScorer(Protocol):
    """What turns windows (N, ...) into logits (N, 3) float32, row by row the same bits in any company."""

    def logits(self, X: Any) -> np.ndarray: ...


class BlockScorer:
    """A network asked for blocks of one fixed size, filled up with zeros, by one thread; normalisation by learned numbers only."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.cpu().eval().requires_grad_(False)

    def logits(self, X: Any) -> np.ndarray:
        """X: an array of windows, or a view that gathers them."""
        found, block = np.empty((len(X), CLASSES), np.float32), np.zeros((BLOCK, *X.shape[1:]), np.float32)
        with threads(1), torch.inference_mode():
            for first in range(0, len(X), BLOCK):
                windows = windows_of(X, first, BLOCK)
                block[: len(windows)] = windows
                block[len(windows) :] = 0.0
                found[first : first + BLOCK] = self.network(torch.from_numpy(block)).numpy()[: len(windows)]
        return found


def logits_of(scorer: WindowScorer, X: Any) -> np.ndarray:
    """(N, 3) float32 of all windows, by as many threads as there are cores; a window's bits do not depend on who computes them."""
    if len(X) <= AT_ONCE:
        return scorer.logits(X)
    rows = [np.arange(first, min(first + AT_ONCE, len(X))) for first in range(0, len(X), AT_ONCE)]
    with ThreadPoolExecutor(min(cores(), len(rows))) as workers:
        found = list(workers.map(lambda chosen: scorer.logits(X.take(chosen) if isinstance(X, View) else X[chosen]), rows))
    torch.set_num_threads(torch.get_num_threads())  # what threads to come begin with: the workers have left their one
    return np.concatenate(found)


def windows_of(X: Any, first: int, count: int) -> np.ndarray:
    """At most `count` windows from `first` on, in C order."""
    if isinstance(X, View):
        return X.gather(np.arange(first, min(first + count, len(X))))
    return np.ascontiguousarray(X[first : first + count])


def answers(logits: np.ndarray, calibration: Calibration) -> PredictionOutput:
    """Calibrated probabilities, in float64. Raises DataError `models/prediction` for windows so wild that a logit is not finite."""
    if not np.isfinite(logits).all():
        row = int(np.argmin(np.isfinite(logits).all(axis=1)))
        do = "scale the features as in training: these are far from anything learned"
        raise DataError("models/prediction", expected="finite logits", came=f"{logits[row].tolist()} in row {row}", do=do)
    n, margins = len(logits), calibration.margins(logits)
    probabilities, signal, confidence = np.empty((n, CLASSES)), np.empty(n, np.int8), np.empty(n)
    softmax_rows(margins, probabilities, signal, confidence)
    return PredictionOutput.from_scorer(signal, confidence, probabilities)
