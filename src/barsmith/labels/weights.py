"""How clean an outcome was, what it weighs in fitting, and the label columns of a frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from barsmith.errors import DataError

if TYPE_CHECKING:
    import polars as pl

    from barsmith.labels.barriers import Labels


def pain_to_gain(labels: Labels) -> np.ndarray:
    """(m,) adverse over favourable excursion, each in units of its barrier's distance; NaN without a label.

    A touched row gained at least one barrier (MFE) and suffered less than one (MAE). A neutral row's promise is that neither barrier
    is reached: its gain is 1, its pain the larger share of the way to a barrier; a tie's pain is at least 1.
    """
    long = labels.label == 1
    with np.errstate(divide="ignore", invalid="ignore"):
        touched = (labels.mae / np.where(long, labels.k_down, labels.k_up)) / (labels.mfe / np.where(long, labels.k_up, labels.k_down))
    neutral = np.maximum(labels.mfe / labels.k_up, labels.mae / labels.k_down)
    neutral = np.where(labels.tie, np.maximum(neutral, 1.0), neutral)
    return np.where(labels.has_label, np.where(labels.label == 0, neutral, touched), np.nan)


def quality_scores(labels: Labels) -> np.ndarray:
    """(m,) 1 / (1 + pain-to-gain): 1 for a price that went straight to its barrier, 1/2 for one that touched the other almost as far.

    Reads the excursions up to `label_end` and nothing later. NaN without a label.
    """
    return 1.0 / (1.0 + pain_to_gain(labels))


def sample_weights(score: np.ndarray, has_label: np.ndarray, train_rows: np.ndarray) -> np.ndarray:
    """(m,) 0.5 + the score's rank among the labelled train rows, 0.5 to 1.5; NaN without a label.

    train_rows: row numbers, or a mask, of the training slice. The rank is the share of train scores below, equals counting half;
    every other row is read off the same map, so that it changes nothing. Weights are for fitting: every score is unweighted.
    Raises DataError `labels/no-train-rows`.
    """
    is_train = np.zeros(len(score), np.bool_)
    is_train[train_rows] = True
    known = np.sort(score[is_train & has_label])
    if not len(known):
        raise DataError(
            "labels/no-train-rows",
            expected="labelled rows in the training slice",
            came="none",
            do="bring a longer file, or a larger train_pct",
        )
    below, through = np.searchsorted(known, score, "left"), np.searchsorted(known, score, "right")
    return np.where(has_label, 0.5 + (below + through) / (2.0 * len(known)), np.nan)


def label_columns(labels: Mapping[int, Labels], weights: Mapping[int, np.ndarray]) -> pl.DataFrame:
    """label_h{H} Int8, label_end_h{H} Datetime UTC, return_h{H} and sample_weight_h{H} Float64, null where the future is missing."""
    import polars as pl

    from barsmith.bars.minutes import as_datetime

    columns: dict[str, pl.Series] = {}
    for horizon in sorted(labels):
        of, missing = labels[horizon], pl.Series(~labels[horizon].has_label)
        for name, values in (
            (f"label_h{horizon}", pl.Series(of.label, dtype=pl.Int8)),
            (f"label_end_h{horizon}", as_datetime(of.label_end)),
            (f"return_h{horizon}", pl.Series(of.log_return)),
            (f"sample_weight_h{horizon}", pl.Series(weights[horizon])),
        ):
            columns[name] = values.set(missing, None)
    return pl.DataFrame(columns)
