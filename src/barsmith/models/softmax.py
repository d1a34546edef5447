"""From three margins to probabilities, class and confidence: the last step of every compiled scorer."""

from __future__ import annotations

import math
from typing import Any

from barsmith.compiled import njit


@njit(nogil=True)
def softmax_row(margins: Any, row: int, probabilities: Any, signal: Any, confidence: Any) -> None:
    """One row's margins -> its probabilities, most probable class (0 on a tie) and that class's probability."""
    short, neutral, long = margins[row, 0], margins[row, 1], margins[row, 2]
    top = max(short, neutral, long)
    a, b, c = math.exp(short - top), math.exp(neutral - top), math.exp(long - top)
    total = a + b + c
    a, b, c = a / total, b / total, c / total
    probabilities[row, 0], probabilities[row, 1], probabilities[row, 2] = a, b, c
    signal[row], confidence[row] = 0, b
    if c > a and c > b:
        signal[row], confidence[row] = 1, c
    elif a > b and a > c:
        signal[row], confidence[row] = -1, a
