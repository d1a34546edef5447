"""How clean an outcome was, what it weighs in fitting, and the label columns of a frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from barsmith.errors import DataError
from barsmith.labels.uniqueness import uniqueness_factors

if TYPE_CHECKING:
    import polars as pl

    from barsmith.labels.outcomes import Labels


def pain_to_gain(labels: Labels) -> np.ndarray:
    """(m,) adverse over favourable excursion, each in units of its barrier's distance; NaN without a label.

    A touched row gained at least one barrier (MFE) and suffered less than one (MAE). A neutral row's promise is that neither barrier
    is reached: its gain is 1, its pain the larger share of the way to a barrier; a tie's pain is at least 1. A meta-label of 0 says that
    the trade does not pay: its gain is what went against the trade, its pain what went for it. A price that did not move at all gives 1.
    """
    is_long = labels.label == 1
    if labels.is_meta:
        with_it, against = labels.mfe / labels.k_up, labels.mae / labels.k_down
        pain, gain = np.where(is_long, against, with_it), np.where(is_long, with_it, against)
    else:
        pain = labels.mae / np.where(is_long, labels.k_down, labels.k_up)
        gain = labels.mfe / np.where(is_long, labels.k_up, labels.k_down)
        neutral = np.maximum(labels.mfe / labels.k_up, labels.mae / labels.k_down)
        neutral = np.where(labels.tie, np.maximum(neutral, 1.0), neutral)
        pain, gain = np.where(labels.label == 0, neutral, pain), np.where(labels.label == 0, 1.0, gain)
    nothing = (pain == 0.0) & (gain == 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(nothing, 1.0, pain / gain)
    return np.where(labels.has_label, ratio, np.nan)


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


def class_neutral(weight: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n,) the weights over their mean among the rows of the same class y.

    They say which examples of a class to believe, not how frequent it is: a timeout is seldom a clean trade, and a model that saw it weigh
    half as much would say half its odds.
    """
    found = np.asarray(weight, np.float64).copy()
    for k in np.unique(y):
        found[y == k] /= found[y == k].mean()
    return found


def final_weights(labels: Labels, bar_start: np.ndarray, train_rows: np.ndarray, *, uniqueness: bool) -> np.ndarray:
    """(m,) `sample_weights` of the labels' quality; with `uniqueness` times `uniqueness_factors`, whose mean over the train rows is 1.

    bar_start: (m,) minutes since 1970, the base bars' opens. A fold hands over its own training rows.
    """
    weights = sample_weights(quality_scores(labels), labels.has_label, train_rows)
    return weights * uniqueness_factors(labels, bar_start, train_rows) if uniqueness else weights


def label_columns(labels: Mapping[int, Labels], weights: Mapping[int, np.ndarray]) -> pl.DataFrame:
    """label_h{H} Int8, label_end_h{H} Datetime UTC, return_h{H} and sample_weight_h{H} Float64, null where the future is missing."""
    import polars as pl

    from barsmith.bars.minutes import as_datetime

    columns: dict[str, pl.Series] = {}
    for horizon in sorted(labels):
        of = labels[horizon]
        columns[f"label_h{horizon}"] = pl.Series(of.label, dtype=pl.Int8)
        columns[f"label_end_h{horizon}"] = as_datetime(of.label_end)
        columns[f"return_h{horizon}"] = pl.Series(of.log_return)
        columns[f"sample_weight_h{horizon}"] = pl.Series(weights[horizon])
    return _without_missing(columns, labels)


def quality_columns(labels: Mapping[int, Labels], bar_start: np.ndarray) -> pl.DataFrame:
    """What a weight is made of, Float64, null without a label: mae_h{H}, mfe_h{H}, pain_to_gain_h{H}, quality_h{H}; bars_h{H} is the
    number of base bars over which the label lives."""
    import polars as pl

    from barsmith.labels.uniqueness import label_spans

    columns: dict[str, pl.Series] = {}
    for horizon in sorted(labels):
        of = labels[horizon]
        first, last = label_spans(of, bar_start)
        columns[f"mae_h{horizon}"], columns[f"mfe_h{horizon}"] = pl.Series(of.mae), pl.Series(of.mfe)
        columns[f"pain_to_gain_h{horizon}"] = pl.Series(pain_to_gain(of))
        columns[f"quality_h{horizon}"] = pl.Series(quality_scores(of))
        columns[f"bars_h{horizon}"] = pl.Series((last - first + 1).astype(np.int64))
    return _without_missing(columns, labels)


def _without_missing(columns: Mapping[str, pl.Series], labels: Mapping[int, Labels]) -> pl.DataFrame:
    """The columns `{name}_h{H}`, null in the rows that have no label of horizon H."""
    import polars as pl

    missing = {horizon: pl.Series(~of.has_label) for horizon, of in labels.items()}
    return pl.DataFrame({name: values.set(missing[int(name.rpartition("_h")[2])], None) for name, values in columns.items()})
