"""Random rows whose class is mostly told by their first two features."""

from __future__ import annotations

import numpy as np


def drawn(n: int = 600, features: int = 5, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (n, features) float32, y (n,) int8, weight (n,) float32."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, features)).astype(np.float32)
    pull = X[:, 0] + X[:, min(1, features - 1)] ** 2 - 1.0 + random.normal(0.0, 0.7, n)
    y = (pull > 0.5).astype(np.int8) - (pull < -0.5).astype(np.int8)
    return X, y, random.uniform(0.5, 1.5, n).astype(np.float32)
