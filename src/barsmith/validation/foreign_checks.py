"""The checks of a data set that somebody else made: what its tables tell without the minutes that they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from barsmith.bars.minutes import as_minutes
from barsmith.datasets.selection import uncorrelated
from barsmith.validation import feature_checks, label_checks
from barsmith.validation.checks import Finding, settled_matrix
from barsmith.validation.feature_checks import named
from barsmith.validation.foreign_tables import ForeignTables, read_foreign

if TYPE_CHECKING:
    import polars as pl

    from barsmith.config import Settings

CENTRED = 0.02
"""How far from 0 a scaled column's median on train may be, and how far from 1 its interquartile range."""
FEW_VALUES = 5
UNSEEN = (
    "labels, label ends, returns and weights were not made again: there are no minutes",
    "features were not computed again: `barsmith features audit` looks for leaks in a feature file",
)


def check_foreign(path: Path, settings: Settings) -> dict[str, Any]:
    """{path, files, rows, horizons, features, is_ready, findings, not_checked}. settings: what was asked for (labels, embargo, clip, correlation).

    Of a test split only the times are looked at. Raises what `read_foreign` raises.
    """
    tables = read_foreign(path)
    found = sorted(findings_of(tables, settings), key=lambda finding: finding.severity)
    return {
        "path": str(path),
        "files": tables.files,
        "rows": {name: len(part) for name, part in tables.parts.items()},
        "horizons": list(tables.horizons),
        "features": len(tables.features),
        "is_ready": not any(finding.severity == "error" for finding in found),
        "findings": [finding.as_dict() for finding in found],
        "not_checked": list(not_checked(tables)),
    }


def not_checked(tables: ForeignTables) -> Iterator[str]:
    """What could not be looked at, and why."""
    yield from UNSEEN
    if "all" in tables.parts:
        yield "purge, embargo, scaling and drift: there are no splits (files train and val, or a column split)"
    if tables.kept is None:
        yield "which features a model will read: there is no feature_set_manifest.json"
    for name in tables.absent:
        yield f"{name}: there is no such column" + (", so that every row counts" if name == "is_settled" else "")


def findings_of(tables: ForeignTables, settings: Settings) -> Iterator[Finding]:
    first = next(iter(tables.parts.values()))
    features, learned = tables.features, tables.learned
    X = {name: settled_matrix(part, features) for name, part in learned.items()}
    X_first = next(iter(X.values()))
    chosen = uncorrelated(X_first, features, settings.validation.max_correlation).kept if tables.kept is None else tables.kept
    places = [features.index(name) for name in chosen if name in features]
    yield from missing_features(tables)
    yield from label_checks.times_out_of_order(tables.parts)
    yield from decisions_before_bars(tables.parts)
    yield from feature_checks.answers_among_features(first, features, tables.horizons)
    yield from chain.from_iterable(feature_checks.not_finite(matrix, features, name) for name, matrix in X.items())
    yield from feature_checks.kept_columns(X_first, features, chosen, settings.validation.max_correlation)
    if "train" in X:
        yield from not_of_train(X["train"], features)
        yield from not_clipped(X, features, settings.scaling.clip)
        moved = feature_checks.drifts(X["train"][:, places], X["val"][:, places], [features[j] for j in places])
        yield from feature_checks.drifted(moved, len(X["val"]))
        yield from embargo_cut_short(tables.parts, settings.splits.embargo_bars)
    for horizon in tables.horizons:
        yield from label_checks.spans_overlap(tables.parts, horizon)
        for name, part in learned.items():
            if {f"return_h{horizon}", f"sample_weight_h{horizon}"} <= set(part.columns):
                yield from label_checks.impossible_labels(part, horizon, name, settings.labels)
            yield from label_checks.unbalanced(part, horizon, name, settings.labels)


def missing_features(tables: ForeignTables) -> Iterator[Finding]:
    """Leak 13: what the manifest keeps is no feature of the tables."""
    strange = tuple(name for name in tables.kept or () if name not in tables.features)
    if strange:
        yield Finding("datasets/role", f"{named(strange)} kept as features, which the tables do not have as such", columns=strange)


def decisions_before_bars(parts: Mapping[str, pl.DataFrame]) -> Iterator[Finding]:
    """A bar is decided on at its end, after its open."""
    for name, part in parts.items():
        early = int((part["decision"] <= part["datetime"]).sum())
        if early:
            yield Finding("datasets/decision", f"{early} rows of {name} are decided before their bar has ended", early)


def not_of_train(X_train: np.ndarray, features: Sequence[str]) -> Iterator[Finding]:
    """Leak 16: columns whose settled train rows do not have median 0 and interquartile range 1, as a scaler fitted on them gives.

    Columns within -1 and 1 that hold few values, or that never leave that range, may have been passed through and are left alone.
    """
    off = []
    for j, name in enumerate(features):
        column = X_train[np.isfinite(X_train[:, j]), j]
        if not len(column) or (np.abs(column).max() <= 1.0) or len(np.unique(column)) <= FEW_VALUES:
            continue
        low, middle, high = np.percentile(column, (25, 50, 75))
        if high > low and (abs(middle) > CENTRED or abs(high - low - 1.0) > CENTRED):
            off.append((name, float(middle), float(high - low)))
    if off:
        worst = ", ".join(f"{name} {middle:.3g} and {spread:.3g}" for name, middle, spread in off[:3])
        what = (
            f"{len(off)} features are not centred on train, as if unscaled or scaled by other rows; median and interquartile range: {worst}"
        )
        yield Finding("scaling/not-train", what, len(X_train), tuple(name for name, *_ in off))


def not_clipped(X: Mapping[str, np.ndarray], features: Sequence[str], clip: float) -> Iterator[Finding]:
    for where, matrix in X.items():
        beyond = np.abs(np.where(np.isfinite(matrix), matrix, 0.0)) > clip * (1 + 1e-6)
        columns = tuple(features[j] for j in np.flatnonzero(beyond.any(axis=0)).tolist())
        if columns:
            rows = int(beyond.any(axis=1).sum())
            yield Finding("scaling/not-clipped", f"{rows} rows of {where} lie beyond {clip:g}, in {named(columns)}", rows, columns)


def embargo_cut_short(parts: Mapping[str, pl.DataFrame], embargo_bars: int) -> Iterator[Finding]:
    """Leak 17: less time between two splits than so many bars take at least, of the length that most bars here have."""
    for (before, earlier), (after, later) in pairwise(parts.items()):
        decided, begins = as_minutes(earlier["decision"]), as_minutes(later["decision"])
        lengths = decided - as_minutes(earlier["datetime"])
        least = int(np.median(lengths)) * embargo_bars
        early = int((begins < decided.max() + least).sum())
        if early:
            what = f"{early} rows of {after} are decided within {embargo_bars} bars ({least} minutes) of the last of {before}"
            yield Finding("splits/embargo", what, early)
