"""What makes a network's probabilities honest: a temperature and a bias for each class, fitted on the stopping rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.models.params import CLASSES

COLDEST, HOTTEST, MOST_BIAS = 0.05, 20.0, 20.0


@dataclass(frozen=True)
class Calibration:
    """Probabilities are the softmax of logits / temperature + bias. bias: of short, neutral, long."""

    temperature: float = 1.0
    bias: tuple[float, ...] = (0.0,) * CLASSES

    def margins(self, logits: np.ndarray) -> np.ndarray:
        """(N, 3) float64."""
        return np.asarray(logits.astype(np.float64) / self.temperature + np.array(self.bias))


def fitted_calibration(logits: np.ndarray, y: np.ndarray) -> Calibration:
    """The calibration with the lowest log loss over rows as they come, unweighted.

    logits: (N, 3). y: (N,) class numbers 0 1 2. The temperature lies within 0.05 to 20; every class gets one row more, spread over all
    rows, so that a class that the rows lack stays possible. A temperature alone cannot take back what balanced class weights, or too few
    epochs, did to how frequent the classes look.
    Source: Guo, Pleiss, Sun & Weinberger (2017); the bias is of Alexandari, Kundaje & Shrikumar (2020).
    """
    from scipy.optimize import minimize

    n, logits = len(y), logits.astype(np.float64) - logits.max(axis=1, keepdims=True).astype(np.float64)
    told = (y[:, None] == np.arange(CLASSES)) + 1.0 / n

    def loss(values: np.ndarray) -> tuple[float, Any]:
        margins = values[0] * logits + values[1:]
        top = margins.max(axis=1, keepdims=True)
        powers = np.exp(margins - top)
        total = powers.sum(axis=1, keepdims=True)
        wrong = told.sum(axis=1, keepdims=True) * powers / total - told
        value = (told * (np.log(total) + top - margins)).sum() / n
        return float(value), np.concatenate([[(wrong * logits).sum()], wrong.sum(axis=0)]) / n

    start = np.array([1.0, *(0.0,) * CLASSES])
    bounds = [(1.0 / HOTTEST, 1.0 / COLDEST), *[(-MOST_BIAS, MOST_BIAS)] * CLASSES]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-8, "maxiter": 500})
    if not found.fun < loss(start)[0]:
        return Calibration()
    bias = np.clip(found.x[1:] - found.x[1:].mean(), -MOST_BIAS, MOST_BIAS)
    return Calibration(float(1.0 / found.x[0]), tuple(bias.tolist()))
