"""Leak 13 under an innocent name: columns that say what the label, the return, the weight or the label's end of their own row says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from barsmith.datasets.selection import correlations

if TYPE_CHECKING:
    import polars as pl

LIKENESS, MOST_ROWS = 0.999, 10_000


@dataclass(frozen=True)
class Answer:
    """A feature, the answer that it repeats, their rank correlation, and over how many rows it was taken."""

    feature: str
    answer: str
    likeness: float
    rows: int


def answers_among(train: pl.DataFrame, features: Sequence[str], horizons: Sequence[int]) -> list[Answer]:
    """The features that rise and fall with an answer of their own row, each with the one that it resembles most.

    Compared by ranks, so that scaling, clipping or a logarithm do not hide it, over some 10,000 rows spread evenly. A foreign table need
    not have returns or weights.
    """
    import polars as pl

    rows = train.filter(pl.col("is_settled"), *(pl.col(f"label_h{horizon}").is_not_null() for horizon in horizons))
    if len(rows) < 3 or not features:
        return []
    rows = rows.gather_every(max(1, len(rows) // MOST_ROWS))
    answers: dict[str, pl.Expr] = {}
    for horizon in horizons:
        label = pl.col(f"label_h{horizon}")
        answers |= {name: pl.col(name) for name in (f"label_h{horizon}", f"return_h{horizon}", f"sample_weight_h{horizon}")}
        answers[f"label_end_h{horizon} - decision"] = (pl.col(f"label_end_h{horizon}") - pl.col("decision")).dt.total_minutes()
        answers |= {f"label_h{horizon} = {value}": label == value for value in (-1, 0, 1)}
    answers = {name: answer for name, answer in answers.items() if set(answer.meta.root_names()) <= set(rows.columns)}
    known = rows.select(**{name: answer.cast(pl.Float64).rank() for name, answer in answers.items()}).to_numpy()
    ranks = rows.select(pl.col(list(features)).cast(pl.Float64).rank()).to_numpy()
    likeness = correlations(np.column_stack([ranks, known]))[: len(features), len(features) :]
    names, best = list(answers), likeness.argmax(axis=1)
    return [
        Answer(features[j], names[best[j]], float(likeness[j, best[j]]), len(rows))
        for j in np.flatnonzero(likeness.max(axis=1) > LIKENESS).tolist()
    ]
