"""The checks of a finished data run: what stands in its tables that must not, and what a reader should know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from barsmith.config import LabelSettings
    from barsmith.datasets.scaling import RobustScaler
    from barsmith.validation.feature_checks import Drift


@dataclass(frozen=True)
class Finding:
    """code: the case, for machines. what: a sentence. rows: how many are concerned. columns: which. An error must not be trained on."""

    code: str
    what: str
    rows: int = 0
    columns: tuple[str, ...] = ()
    severity: Literal["error", "warning"] = "error"

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "columns": list(self.columns)}


def settled_matrix(frame: pl.DataFrame, names: Sequence[str]) -> np.ndarray:
    """(N, F) float64: the settled rows of a table, which are the rows that scaler and correlation filter learn from."""
    import polars as pl

    return frame.filter("is_settled").select(pl.col(list(names)).cast(pl.Float64)).to_numpy()


def examine(
    train: pl.DataFrame,
    val: pl.DataFrame,
    *,
    features: Sequence[str],
    kept: Sequence[str],
    horizons: Sequence[int],
    scaler: RobustScaler,
    unscaled_train: pl.DataFrame,
    others: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]] | None = None,
    test_times: pl.DataFrame | None = None,
    max_correlation: float = 0.95,
    labels: LabelSettings | None = None,
    moved: Sequence[Drift] | None = None,
) -> list[Finding]:
    """Every finding about a data run's tables, errors first.

    train, val: the scaled tables. features: all feature columns; kept: those that the correlation filter left. unscaled_train: the same rows
    before scaling. others: by split the features of other rows before and after scaling. test_times: datetime, decision and label_end columns of the test table, and nothing else: it stays closed.
    labels: what was asked for; the defaults where nothing is given. moved: of the kept features, measured here where it is not given.
    """
    from barsmith.config import LabelSettings
    from barsmith.validation import feature_checks, label_checks

    asked = labels or LabelSettings()
    X_train, X_val = settled_matrix(train, features), settled_matrix(val, features)
    places = [list(features).index(name) for name in kept if name in features]
    if moved is None:
        moved = feature_checks.drifts(X_train[:, places], X_val[:, places], [features[j] for j in places])
    times = {"train": train, "val": val} | ({"test": test_times} if test_times is not None else {})
    checks: list[Iterator[Finding]] = [
        feature_checks.columns_with_another_role(list(dict.fromkeys([*features, *kept]))),
        feature_checks.answers_among_features(train, features, horizons),
        feature_checks.not_finite(X_train, features, "train"),
        feature_checks.not_finite(X_val, features, "val"),
        feature_checks.kept_columns(X_train, features, kept, max_correlation),
        feature_checks.scaler_not_of_train(scaler, unscaled_train),
        feature_checks.scaled_otherwise(scaler, unscaled_train, train),
        feature_checks.drifted(moved, len(X_val)),
        label_checks.times_out_of_order(times),
    ]
    for unscaled, scaled in (others or {}).values():
        checks.append(feature_checks.scaled_otherwise(scaler, unscaled, scaled))
    for horizon in horizons:
        checks.append(label_checks.spans_overlap(times, horizon))
        for name, table in (("train", train), ("val", val)):
            checks += [label_checks.impossible_labels(table, horizon, name, asked), label_checks.unbalanced(table, horizon, name, asked)]
    return sorted(chain.from_iterable(checks), key=lambda finding: finding.severity)
