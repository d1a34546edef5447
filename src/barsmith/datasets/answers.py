"""Leak 13 under an innocent name: columns that say what the label, the return, the weight or the label's end of their own row says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

SAME, MOST_ROWS = 0.999, 5_000
DIRECTION, TIMEOUT = 0.9, 0.95
"""Likeness from which a feature is an answer with noise on it. On the real bars honest features come to 0.17 for up against down, 0.22 for
the return and 0.63 for timeouts (over two weeks of them 0.48, 0.29 and 0.74)."""
LIKE_DIRECTION, LIKE_TIMEOUT = 0.5, 0.8
"""Likeness above which a feature is suspected: further from those honest ones than they are from nothing, and less than an accusation."""
LEAST_SPANS, SPANS_TO_SUSPECT = 30, 60
"""Labels that do not overlap, of the rarer kind, below which only the answer itself is told from chance, and below which nothing is suspected:
of 60 against 60 a likeness of 0.5 is 4.7 standard errors of chance, so that of hundreds of features none comes there."""


@dataclass(frozen=True)
class Answer:
    """A feature, the answer that it repeats, how alike they are, and over how many rows that was taken.

    is_sure: an accusation, else a suspicion. honest: how alike this answer and an honest feature of the real bars are at most.
    """

    feature: str
    answer: str
    likeness: float
    rows: int
    is_sure: bool
    honest: float


@dataclass(frozen=True)
class Asked:
    """An answer to compare with, over some rows. levels: above which a feature is accused, and suspected. is_class: it is one of two, else a quantity."""

    name: str
    rows: pl.DataFrame
    values: pl.Expr
    levels: tuple[float, float] = (SAME, SAME)
    honest: float = 0.0
    is_class: bool = False


def answers_among(train: pl.DataFrame, features: Sequence[str], horizons: Sequence[int]) -> list[Answer]:
    """The features that rise and fall with an answer of their own row, each with the one that it resembles most; an accusation before a suspicion.

    Compared by ranks, so that scaling, clipping or a logarithm do not hide it, over some 5,000 rows spread evenly. A foreign table need
    not have returns or weights.
    """
    import polars as pl

    rows = train.filter(pl.col("is_settled"), *(pl.col(f"label_h{horizon}").is_not_null() for horizon in horizons))
    if len(rows) < 3 or not features:
        return []
    step = max(1, len(rows) // MOST_ROWS)
    columns = pl.col(list(features)).cast(pl.Float64).rank()
    taken = rows.gather_every(step)
    of_all = taken.select(columns).to_numpy()
    found: dict[str, Answer] = {}
    for horizon in horizons:
        for asked in asked_of(taken, horizon, step):
            ranks = of_all if asked.rows is taken else asked.rows.select(columns).to_numpy()
            answer = asked.rows.select(asked.values.cast(pl.Float64).rank()).to_series().to_numpy()
            alike = likeness(ranks, answer, is_class=asked.is_class)
            accused, suspected = asked.levels
            for j in np.flatnonzero(alike > suspected).tolist():
                one = Answer(features[j], asked.name, float(alike[j]), len(asked.rows), bool(alike[j] > accused), asked.honest)
                other = found.get(one.feature)
                if other is None or (one.is_sure, one.likeness) > (other.is_sure, other.likeness):
                    found[one.feature] = one
    return [found[name] for name in features if name in found]


def asked_of(rows: pl.DataFrame, horizon: int, step: int) -> Iterator[Asked]:
    """The answers of one horizon: the label is up against down, and timeout against touched. step: every how many rows these were taken."""
    import polars as pl

    name = f"label_h{horizon}"
    label, values = pl.col(name), rows[name]
    span = horizon / step
    ends = rows.filter(label.is_in([values.min(), values.max()]))
    direction = (DIRECTION, LIKE_DIRECTION)
    yield Asked(name, ends, label, levels(rarer(ends[name]) / span, *direction), honest=0.17, is_class=True)
    if values.n_unique() > 2:
        yield Asked(f"{name} = 0", rows, label == 0, levels(rarer(values == 0) / span, TIMEOUT, LIKE_TIMEOUT), honest=0.63, is_class=True)
    if f"return_h{horizon}" in rows.columns:
        yield Asked(f"return_h{horizon}", rows, pl.col(f"return_h{horizon}"), levels(len(rows) / span, *direction), honest=0.22)
    if f"sample_weight_h{horizon}" in rows.columns:
        yield Asked(f"sample_weight_h{horizon}", rows, pl.col(f"sample_weight_h{horizon}"))
    ends_after = (pl.col(f"label_end_h{horizon}") - pl.col("decision")).dt.total_minutes()
    yield Asked(f"label_end_h{horizon} - decision", rows, ends_after)


def levels(spans: float, accused: float, suspected: float) -> tuple[float, float]:
    """The likeness above which a feature is accused, and suspected, where so many labels do not overlap."""
    accused = accused if spans >= LEAST_SPANS else SAME
    return accused, suspected if spans >= SPANS_TO_SUSPECT else accused


def rarer(values: pl.Series) -> int:
    """How often the rarest of the values stands there; 0 where there is but one."""
    counts = values.value_counts()["count"]
    return int(counts.min()) if len(counts) > 1 else 0  # type: ignore[arg-type]


def likeness(ranks: np.ndarray, answer: np.ndarray, *, is_class: bool) -> np.ndarray:
    """(F,) 0..1: the rank correlation of each column with an answer; with one of two classes |2 AUC - 1| where that is more.

    A perfect score's rank correlation with two even classes is 0.87, with uneven ones less: their ties hold it down. A quantity may be
    tied by the clock (the label's end across a break), so that it is taken as it is. ranks: (N, F). answer: (N,) ranks.
    """
    deviations, centred = ranks - ranks.mean(axis=0), answer - answer.mean()
    together = np.abs(centred @ deviations)
    spread, of_answer = np.sqrt((deviations * deviations).sum(axis=0)), np.sqrt((centred * centred).sum())
    most = of_answer * (np.minimum(spread, of_answer) if is_class else spread)
    return np.divide(together, most, out=np.zeros(ranks.shape[1]), where=most > 0)
