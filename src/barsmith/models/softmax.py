"""From three margins, or sums of probabilities, to probabilities, class and confidence: the last step of every compiled scorer."""

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
    choose_row(a, b, c, row, probabilities, signal, confidence)


@njit(nogil=True)
def softmax_rows(margins: Any, probabilities: Any, signal: Any, confidence: Any) -> None:
    """The same for every row."""
    for row in range(len(margins)):
        softmax_row(margins, row, probabilities, signal, confidence)


@njit(nogil=True)
def mean_row(totals: Any, row: int, count: int, probabilities: Any, signal: Any, confidence: Any) -> None:
    """One row's sums of `count` probabilities -> the same."""
    a, b, c = totals[row, 0] / count, totals[row, 1] / count, totals[row, 2] / count
    choose_row(a, b, c, row, probabilities, signal, confidence)


@njit(nogil=True)
def choose_row(a: float, b: float, c: float, row: int, probabilities: Any, signal: Any, confidence: Any) -> None:
    """Write down one row's probabilities of short, neutral and long, and the choice among them."""
    probabilities[row, 0], probabilities[row, 1], probabilities[row, 2] = a, b, c
    signal[row], confidence[row] = 0, b
    if c > a and c > b:
        signal[row], confidence[row] = 1, c
    elif a > b and a > c:
        signal[row], confidence[row] = -1, a
