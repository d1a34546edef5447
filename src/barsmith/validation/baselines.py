"""What anybody could predict without a model: the majority, the train frequencies, the clock, the last move."""

from __future__ import annotations

import numpy as np

from barsmith.datasets.parts import Part
from barsmith.metrics.classification import scores

SMOOTHING = 20.0
HALF_HOURS = 48
NAMES = ("majority", "train_frequencies", "time_of_day", "last_direction")


def _counts(y: np.ndarray) -> np.ndarray:
    """(3,) rows short, neutral, long."""
    return np.bincount(y.astype(np.intp) + 1, minlength=3).astype(np.float64)


def majority(y_train: np.ndarray, n: int) -> np.ndarray:
    """(n, 3): certainty of the class that train holds most often; the first of two that tie."""
    return np.tile(np.eye(3)[int(_counts(y_train).argmax())], (n, 1))


def train_frequencies(y_train: np.ndarray, n: int) -> np.ndarray:
    """(n, 3): the class frequencies of train."""
    return np.tile(_counts(y_train) / len(y_train), (n, 1))


def cell_frequencies(y_train: np.ndarray, cell_train: np.ndarray, cell: np.ndarray, cells: int) -> np.ndarray:
    """(N, 3): class frequencies of the train rows in the same cell, smoothed.

    Each cell is counted as if 20 more rows with the frequencies of the whole of train had been in it, so that an empty
    cell gives exactly those and a full one (thousands of rows) hardly notices.
    """
    table = np.zeros((cells, 3))
    np.add.at(table, (cell_train, y_train.astype(np.intp) + 1), 1.0)
    table += SMOOTHING * train_frequencies(y_train, 1)
    return np.asarray((table / table.sum(axis=1, keepdims=True))[cell])


def time_of_day(y_train: np.ndarray, minutes_train: np.ndarray, minutes: np.ndarray) -> np.ndarray:
    """(N, 3): a table of the 48 half-hours since the session's open, in exchange time and so free of daylight saving.

    minutes_train, minutes: minutes from the session's open to the decision.
    """
    cell_train, cell = (np.clip(m // 30, 0, HALF_HOURS - 1).astype(np.intp) for m in (minutes_train, minutes))
    return cell_frequencies(y_train, cell_train, cell, HALF_HOURS)


def last_direction(y_train: np.ndarray, direction_train: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """(N, 3): class frequencies of the train rows whose last base bar moved the same way (-1, 0, +1)."""
    return cell_frequencies(y_train, direction_train.astype(np.intp) + 1, direction.astype(np.intp) + 1, 3)


def baseline_probabilities(train: Part, part: Part) -> dict[str, np.ndarray]:
    """{baseline: (N, 3)} for the rows of `part`, learned from the rows of `train` and no others."""
    return {
        "majority": majority(train.y, len(part)),
        "train_frequencies": train_frequencies(train.y, len(part)),
        "time_of_day": time_of_day(train.y, train.minutes_since_open, part.minutes_since_open),
        "last_direction": last_direction(train.y, train.last_direction, part.last_direction),
    }


def baseline_scores(train: Part, part: Part) -> dict[str, dict[str, float | None]]:
    """{baseline: its scores on `part`}. The majority names a class and no probabilities: its losses are None."""
    out = {name: scores(part.y, p, log_return=part.log_return) for name, p in baseline_probabilities(train, part).items()}
    out["majority"].update(log_loss=None, brier=None, ece=None)
    return out
