"""Windows whose class only a network can tell, windows without any sense, and networks small enough to be tried on them."""

from __future__ import annotations

import numpy as np

#: Of the networks: sizes at which a test takes a second or two.
SMALL = {
    "inceptiontime": {"depth": 3, "filters": 8, "bottleneck": 8, "kernel": 8},
    "resnet1d": {"filters": 8},
    "nbeats": {"blocks": 1, "hidden": 48, "coefficients": 8},
    "nhits": {"hidden": 64, "coefficients": 8},
    "patchtst": {"strategy": "single", "seq_len": 16, "patch_len": 4, "stride": 2, "heads": 2, "d_feedforward": 32, "dropout": 0.0},
    "itransformer": {"strategy": "single", "d_model": 32, "heads": 2, "d_feedforward": 64, "dropout": 0.0},
    "tft": {"strategy": "single", "hidden": 16, "heads": 2, "dropout": 0.0},
}


def pulses(n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """X (n, 16, 2) float32, y (n,): a pulse up or down in the first half of the first feature and one in the second half.

    Alike: long. Opposite: short. None in the second half: neutral. Each pulse's sign is drawn anew, so no single number tells the class.
    """
    random = np.random.default_rng(seed)
    X = random.normal(0.0, 0.1, (n, 16, 2)).astype(np.float32)
    y = random.integers(-1, 2, n).astype(np.int8)
    first = random.choice([-1.0, 1.0], n)
    X[np.arange(n), random.integers(2, 5, n), 0] += first
    X[np.arange(n), random.integers(10, 13, n), 0] += first * y
    return X, y


def swings(n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """X (n, 16, 2) float32, y (n,): in the second half the first feature swings 0.3, 1 or 3 times as wide as in the first: short, neutral, long."""
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(n, 16, 2)).astype(np.float32), random.integers(-1, 2, n).astype(np.int8)
    X[:, 8:, 0] *= np.array([0.3, 1.0, 3.0], np.float32)[y + 1][:, None]
    return X, y
