"""The learning rate over a training: it warms up in a straight line and falls along a cosine."""

from __future__ import annotations

import math

FLOOR = 0.01  # of the peak, at the last step


def rate_factor(step: int, steps: int, warmup: float) -> float:
    """What the learning rate is multiplied with at `step` of `steps` (from 0); warmup: the share of the steps that rise.

    Source: Goyal et al. (2017) for the warm-up, Loshchilov & Hutter (2017) for the cosine, without restarts.

    >>> [round(rate_factor(step, 101, 0.02), 3) for step in (0, 1, 2, 51, 100)]
    [0.333, 0.667, 1.0, 0.505, 0.01]
    """
    rising = round(warmup * (steps - 1))
    if step < rising:
        return (step + 1) / (rising + 1)
    share = (step - rising) / max(steps - 1 - rising, 1)
    return FLOOR + (1.0 - FLOOR) * 0.5 * (1.0 + math.cos(math.pi * share))
