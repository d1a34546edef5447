"""Checks of feature columns: values, roles, likeness, drift, and whether what was fitted has seen train alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from barsmith.datasets.answers import answers_among
from barsmith.datasets.roles import reserved_role
from barsmith.datasets.selection import uncorrelated
from barsmith.validation.checks import Finding, settled_matrix

if TYPE_CHECKING:
    import polars as pl

    from barsmith.datasets.scaling import RobustScaler

DRIFT_BINS, DRIFT_LEVEL, DRIFT_MARGIN, DRIFT_STRETCHES = 10, 0.25, 1.5, 16


def named(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def columns_with_another_role(features: Sequence[str]) -> Iterator[Finding]:
    """Leak 13: a label, return, weight, label end or time by its own name."""
    wrong = tuple(name for name in features if reserved_role(name))
    if wrong:
        yield Finding("datasets/role", f"{named(wrong)} among the features: not features by their names", columns=wrong)


def answers_among_features(train: pl.DataFrame, features: Sequence[str], horizons: Sequence[int]) -> Iterator[Finding]:
    """Leak 13 under another name: a column that rises and falls with the label, return, weight or label end of its own row.

    One that does so less than an answer, and more than honest features do, is a warning.
    """
    for one in answers_among(train, features, horizons):
        alike = f"likeness of ranks {one.likeness:.3f} of 1"
        if one.is_sure:
            yield Finding("datasets/answer", f"{one.feature} says what {one.answer} says ({alike})", one.rows, (one.feature,))
            continue
        what = f"{one.feature} may be made of {one.answer} ({alike}; honest features of real bars come to {one.honest:g}): see where it comes from"
        yield Finding("datasets/answer-suspected", what, one.rows, (one.feature,), "warning")


def not_finite(X: np.ndarray, features: Sequence[str], where: str) -> Iterator[Finding]:
    """NaN or infinity among settled rows."""
    bad = ~np.isfinite(X)
    columns = tuple(features[j] for j in np.flatnonzero(bad.any(axis=0)).tolist())
    if columns:
        rows = int(bad.any(axis=1).sum())
        yield Finding("features/not-finite", f"{rows} settled rows of {where} hold NaN or infinity, in {named(columns)}", rows, columns)


def kept_columns(X_train: np.ndarray, features: Sequence[str], kept: Sequence[str], maximum: float) -> Iterator[Finding]:
    """Constant and repeated columns; and leak 15: the kept ones are not those that train alone chooses."""
    choice = uncorrelated(X_train, features, maximum)
    if choice.constant:
        verb = "never changes" if len(choice.constant) == 1 else "never change"
        what = f"{named(choice.constant)} {verb} in train: dropped"
        yield Finding("features/constant", what, columns=choice.constant, severity="warning")
    if choice.correlated:
        pairs = [f"{name} repeats {earlier}" for name, earlier in choice.correlated.items()]
        what = f"{len(pairs)} columns are correlated above {maximum:g} with an earlier one in train and dropped: {named(pairs)}"
        yield Finding("features/correlated", what, columns=tuple(choice.correlated), severity="warning")
    other = tuple(sorted(set(choice.kept) ^ set(kept)))
    if other:
        yield Finding("validation/selection-not-train", f"train alone decides otherwise about {named(other)}", columns=other)


def scaler_not_of_train(scaler: RobustScaler, unscaled_train: pl.DataFrame) -> Iterator[Finding]:
    """Leak 16: the stored scaler is not, bit for bit, the one that the settled rows of train give."""
    again = type(scaler).fit(settled_matrix(unscaled_train, scaler.names), scaler.names, scaler.clip, scaler.passed)
    wrong = (again.median != scaler.median) | (again.iqr != scaler.iqr)
    columns = tuple(scaler.names[j] for j in np.flatnonzero(wrong).tolist())
    if columns:
        what = f"the scaler of {named(columns)} was fitted on other rows than the settled ones of train"
        yield Finding("scaling/not-train", what, columns=columns)


def scaled_otherwise(scaler: RobustScaler, unscaled: pl.DataFrame, scaled: pl.DataFrame) -> Iterator[Finding]:
    """The scaled table is not what the stored scaler makes of the unscaled one."""
    import polars as pl

    if unscaled["datetime"].to_list() != scaled["datetime"].to_list():
        yield Finding("scaling/other-rows", "the scaled table does not hold the rows that were scaled", abs(len(scaled) - len(unscaled)))
        return
    expected, came = (table.select(pl.col(scaler.names).cast(pl.Float64)).to_numpy() for table in (unscaled, scaled))
    wrong = ~((scaler.apply(expected) == came) | (np.isnan(expected) & np.isnan(came)))
    columns = tuple(scaler.names[j] for j in np.flatnonzero(wrong.any(axis=0)).tolist())
    if columns:
        rows = int(wrong.any(axis=1).sum())
        yield Finding("scaling/other-values", f"{named(columns)} were not scaled by the stored scaler", rows, columns)


@dataclass(frozen=True)
class Drift:
    """How far a feature's distribution in val is from train's (population stability index), and the furthest stretch of train itself."""

    feature: str
    index: float
    within_train: float

    @property
    def is_far(self) -> bool:
        return self.index > max(DRIFT_LEVEL, DRIFT_MARGIN * self.within_train)


def drifts(X_train: np.ndarray, X_val: np.ndarray, features: Sequence[str]) -> list[Drift]:
    """Every column's drift, furthest first; nothing where a split has no row.

    within_train: the worst of 16 stretches of train that are as long as val.
    """
    if not len(X_train) or not len(X_val):
        return []
    length = min(len(X_val), len(X_train) // 2)
    starts = np.linspace(0, len(X_train) - length, DRIFT_STRETCHES).astype(int).tolist()
    found = []
    for j, name in enumerate(features):
        finite = X_train[np.isfinite(X_train[:, j]), j]
        edges = np.unique(np.quantile(finite, np.linspace(0, 1, DRIFT_BINS + 1)[1:-1])) if len(finite) else finite
        before, after = (np.searchsorted(edges, X[:, j], "right") for X in (X_train, X_val))
        whole = _shares(before, len(edges))
        index = stability_index(whole, _shares(after, len(edges)))
        worst = max(stability_index(whole, _shares(before[start : start + length], len(edges))) for start in starts)
        found.append(Drift(name, index, worst))
    return sorted(found, key=lambda one: (one.index, one.feature), reverse=True)


def drifted(found: Sequence[Drift], rows: int) -> Iterator[Finding]:
    """Columns whose distribution in val is further from train's than any stretch of train itself. found: of `drifts`. rows: of val.

    Bars are correlated, so that textbook levels of the population stability index would accuse every slow feature: a column is
    named only above 0.25 and above one and a half times the worst stretch of train.
    """
    far = [one for one in found if one.is_far]
    if far:
        what = f"{len(far)} features moved further from train to val than within train; furthest (stability index): "
        what += named([f"{one.feature} {one.index:.2f}" for one in far])
        yield Finding("features/drift", what, rows, tuple(one.feature for one in far), "warning")


def _shares(bins: np.ndarray, edges: int) -> np.ndarray:
    """Shares of the bins between the edges, half a row added to each so that none is empty."""
    counts = np.bincount(bins, minlength=edges + 1) + 0.5
    return np.asarray(counts / counts.sum())


def stability_index(before: np.ndarray, after: np.ndarray) -> float:
    """Population stability index of two sets of shares: 0 when they are equal. Source: Siddiqi (2006)."""
    return float(((after - before) * np.log(after / before)).sum())
