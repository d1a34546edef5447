"""What a process shares between all that run in it: random numbers, environment, folder, floating-point errors, PyTorch's threads."""

from __future__ import annotations

import os
import random
import sys
from typing import Any

import numpy as np


def draw() -> None:
    """Let every generator go on by a number, so that one which is set back to its seed cannot stand where it stood."""
    random.random()
    np.random.random()
    if torch := sys.modules.get("torch"):
        torch.rand(1)


def process_state() -> dict[str, Any]:
    """By what it is called in a sentence; PyTorch's share only where it has been imported."""
    state = {
        "Python's random numbers": random.getstate(),
        "NumPy's random numbers": [np.array(part).tobytes() for part in np.random.get_state()],
        "the environment": dict(os.environ),
        "the current folder": os.getcwd(),
        "NumPy's floating-point errors": np.geterr(),
    }
    if torch := sys.modules.get("torch"):
        state |= {
            "PyTorch's random numbers": torch.random.get_rng_state().numpy().tobytes(),
            "PyTorch's threads": torch.get_num_threads(),
            "PyTorch's determinism": torch.are_deterministic_algorithms_enabled(),
        }
    return state
