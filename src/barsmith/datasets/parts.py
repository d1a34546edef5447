"""The rows of one split that a model may see: settled, labelled, and apart from the next split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from barsmith.bars.minutes import as_minutes, moment
from barsmith.datasets.matrix import FeatureMatrix, check_order
from barsmith.datasets.samples import Samples
from barsmith.errors import DataError

if TYPE_CHECKING:
    import polars as pl

    from barsmith.datasets.views import View


@dataclass(frozen=True, eq=False)
class Part:
    """N settled and labelled rows in the order of time.

    X: (N, F) float32 in C order, or a view: `Windows` (N, T, F), `RungWindows` (N, R, T, 4). y: (N,) int8 -1, 0, +1.
    weight: (N,) float64, for fitting only.
    datetime, decision, label_end: (N,) int64 minutes since 1970 UTC: the bar's open, its end, when the outcome was known.
    session: (N,) int64. log_return: (N,) float64 from entry to exit. minutes_since_open: (N,) int64, of the decision.
    last_direction: (N,) int8, the sign of the last base bar's return.
    """

    X: Any
    y: np.ndarray
    weight: np.ndarray
    datetime: np.ndarray
    decision: np.ndarray
    label_end: np.ndarray
    session: np.ndarray
    log_return: np.ndarray
    minutes_since_open: np.ndarray
    last_direction: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: np.ndarray) -> Part:
        """The part's rows at these places."""
        return self.with_view(self.X[rows] if isinstance(self.X, np.ndarray) else self.X.take(rows), rows)

    def with_view(self, X: np.ndarray | View, rows: np.ndarray) -> Part:
        """The part's rows at these places, and X of them."""
        return Part(X, **{field.name: getattr(self, field.name)[rows] for field in fields(self) if field.name != "X"})

    def samples(self) -> Samples:
        """The rows as a map-style data set, for PyTorch's DataLoader."""
        return Samples(self)


def needed_columns(horizon: int) -> tuple[str, ...]:
    """The columns beside the features that a table must have for `horizon`."""
    answers = (f"label_h{horizon}", f"label_end_h{horizon}", f"return_h{horizon}", f"sample_weight_h{horizon}")
    return ("datetime", "decision", "session_id", "minutes_since_open", "last_direction", "is_settled", *answers)


def check_columns(frame: pl.DataFrame, horizon: int, feature_names: Sequence[str], where: str) -> None:
    """Raises DataError `datasets/columns` where one is missing."""
    missing = [name for name in (*needed_columns(horizon), *feature_names) if name not in frame.columns]
    if missing:
        raise DataError(
            "datasets/columns",
            expected=f"a table with labels for horizon {horizon} and its {len(feature_names)} features",
            came=f"one without {', '.join(missing[:5])}" + (" and others" if len(missing) > 5 else ""),
            do=f"run the pipeline again with {horizon} among label_horizons and the same features",
            where=where,
        )


def part_of(
    frame: pl.DataFrame, horizon: int, feature_names: Sequence[str], where: str, matrix: FeatureMatrix | None = None
) -> tuple[Part, dict[str, int]]:
    """The settled and labelled rows of a table, and how many were left out for which reason. matrix: one that holds the table's rows already."""
    check_columns(frame, horizon, feature_names, where)
    matrix = FeatureMatrix.of({where: frame}, feature_names, without_gaps=True) if matrix is None else matrix
    is_settled = frame["is_settled"].to_numpy().astype(np.bool_)
    has_label = frame[f"label_h{horizon}"].is_not_null().to_numpy()
    keep = is_settled & has_label
    is_event = frame["is_event"].to_numpy().astype(np.bool_) if "is_event" in frame.columns else np.ones(len(frame), np.bool_)
    left_out = {"unsettled": int((~is_settled).sum()), "unlabelled": int((is_settled & is_event & ~has_label).sum())}
    if "is_event" in frame.columns:
        left_out["no_event"] = int((is_settled & ~is_event).sum())
    if not keep.any():
        raise DataError(
            "datasets/empty",
            expected="settled rows with a label",
            came=f"{len(frame)} rows, {left_out['unsettled']} of them unsettled and {int((is_settled & ~has_label).sum())} unlabelled",
            do="bring a longer file, or drop the features that need the longest warm-up",
            where=where,
        )
    rows = frame.select(needed_columns(horizon)).filter(keep)
    datetime = as_minutes(rows["datetime"])
    check_order(datetime, where)
    part = Part(
        X=matrix.rows(matrix.places(datetime)),
        y=rows[f"label_h{horizon}"].to_numpy().astype(np.int8),
        weight=rows[f"sample_weight_h{horizon}"].to_numpy().astype(np.float64),
        datetime=datetime,
        decision=as_minutes(rows["decision"]),
        label_end=as_minutes(rows[f"label_end_h{horizon}"]),
        session=rows["session_id"].to_numpy().astype(np.int64),
        log_return=rows[f"return_h{horizon}"].to_numpy().astype(np.float64),
        minutes_since_open=rows["minutes_since_open"].to_numpy().astype(np.int64),
        last_direction=rows["last_direction"].to_numpy().astype(np.int8),
    )
    return part, left_out


def check_apart(earlier: Part, later: Part, name: str, next_name: str) -> None:
    """No label of the earlier split may live on in the later one. Raises DataError `datasets/overlap`."""
    if (known := int(earlier.label_end.max())) >= (begins := int(later.decision[0])):
        raise DataError(
            "datasets/overlap",
            expected=f"every label of {name} known before {next_name} begins at {moment(begins):%Y-%m-%d %H:%M} UTC",
            came=f"{int((earlier.label_end >= begins).sum())} that end later, the last at {moment(known):%Y-%m-%d %H:%M} UTC",
            do="run the splits stage again: it purges by label end",
        )
