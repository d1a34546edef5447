"""The data set of one symbol and horizon: what models are fitted on and judged by, with the test split closed until asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from barsmith.bars.minutes import as_minutes, moment
from barsmith.datasets.roles import check_features
from barsmith.errors import DataError, UsageError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class Part:
    """N settled and labelled rows in the order of time.

    X: (N, F) float32 in C order. y: (N,) int8 -1, 0, +1. weight: (N,) float64, for fitting only.
    datetime, decision, label_end: (N,) int64 minutes since 1970 UTC: the bar's open, its end, when the outcome was known.
    session: (N,) int64. log_return: (N,) float64 from entry to exit. minutes_since_open: (N,) int64, of the decision.
    last_direction: (N,) int8, the sign of the last base bar's return.
    """

    X: np.ndarray
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
        return Part(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True, eq=False)
class TimeSeriesDataContainer:
    """Train and validation of one symbol and horizon, and a test split that is not even read before `open_test`.

    left_out: rows of each split without a place here, {"train": {"unsettled": n, "unlabelled": n}, ...}: warm-up and missing futures, and
    "no_event" where labels were asked for at chosen bars only (the column `is_event`).
    """

    symbol: str
    horizon: int
    feature_names: tuple[str, ...]
    train: Part
    val: Part
    left_out: Mapping[str, Mapping[str, int]]
    _read_test: Callable[[], pl.DataFrame] | None
    _test: Part | None = None

    @classmethod
    def from_frames(
        cls,
        train: pl.DataFrame,
        val: pl.DataFrame,
        read_test: Callable[[], pl.DataFrame] | None,
        *,
        symbol: str,
        horizon: int,
        feature_names: Sequence[str],
        roles: Mapping[str, str],
    ) -> TimeSeriesDataContainer:
        """Build from the scaled tables of the splits.

        A table has the features (Float64), the columns of `needed_columns`, and any others. read_test: returns the test table
        when it is opened; None where there is no test split. feature_names: the kept columns, in the model's order.
        Raises DataError `datasets/role`, `datasets/columns`, `datasets/infinite`, `datasets/empty`, `datasets/order`, `datasets/overlap`.
        """
        check_features(feature_names, roles)
        parts, left_out = {}, {}
        for name, frame in (("train", train), ("val", val)):
            parts[name], left_out[name] = part_of(frame, horizon, feature_names, f"{symbol} {name}")
        _check_apart(parts["train"], parts["val"], "train", "val")
        return cls(symbol, horizon, tuple(feature_names), parts["train"], parts["val"], left_out, read_test)

    @property
    def test_is_open(self) -> bool:
        return self._test is not None

    @property
    def test(self) -> Part:
        """Raises UsageError `datasets/test-closed` until `open_test`."""
        if self._test is None:
            raise UsageError(
                "datasets/test-closed",
                expected="a test split that was opened on purpose",
                came="a look at the closed one",
                do="choose on validation; at the very end, once, train --open-test (in Python: container.open_test())",
            )
        return self._test

    def open_test(self) -> TimeSeriesDataContainer:
        """A container whose test split is read and open. Whoever calls this records it."""
        if self._test is not None:
            return self
        if self._read_test is None:
            raise UsageError("datasets/no-test", expected="a data set with a test split", came="one without", do="run the pipeline first")
        test, left_out = part_of(self._read_test(), self.horizon, self.feature_names, f"{self.symbol} test")
        _check_apart(self.train, test, "train", "test")
        _check_apart(self.val, test, "val", "test")
        return replace(self, _test=test, left_out={**self.left_out, "test": left_out})


def needed_columns(horizon: int) -> tuple[str, ...]:
    """The columns beside the features that a table must have for `horizon`."""
    answers = (f"label_h{horizon}", f"label_end_h{horizon}", f"return_h{horizon}", f"sample_weight_h{horizon}")
    return ("datetime", "decision", "session_id", "minutes_since_open", "last_direction", "is_settled", *answers)


def part_of(frame: pl.DataFrame, horizon: int, feature_names: Sequence[str], where: str) -> tuple[Part, dict[str, int]]:
    """The settled and labelled rows of a table, and how many were left out for which reason."""
    missing = [name for name in (*needed_columns(horizon), *feature_names) if name not in frame.columns]
    if missing:
        raise DataError(
            "datasets/columns",
            expected=f"a table with labels for horizon {horizon} and its {len(feature_names)} features",
            came=f"one without {', '.join(missing[:5])}" + (" and others" if len(missing) > 5 else ""),
            do=f"run the pipeline again with {horizon} among label_horizons and the same features",
            where=where,
        )
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
    part = Part(
        X=_matrix(frame, feature_names, keep, where),
        y=rows[f"label_h{horizon}"].to_numpy().astype(np.int8),
        weight=rows[f"sample_weight_h{horizon}"].to_numpy().astype(np.float64),
        datetime=as_minutes(rows["datetime"]),
        decision=as_minutes(rows["decision"]),
        label_end=as_minutes(rows[f"label_end_h{horizon}"]),
        session=rows["session_id"].to_numpy().astype(np.int64),
        log_return=rows[f"return_h{horizon}"].to_numpy().astype(np.float64),
        minutes_since_open=rows["minutes_since_open"].to_numpy().astype(np.int64),
        last_direction=rows["last_direction"].to_numpy().astype(np.int8),
    )
    if (np.diff(part.datetime) <= 0).any():
        raise DataError(
            "datasets/order",
            expected="rows in the order of time, each once",
            came=f"{int((np.diff(part.datetime) <= 0).sum())} steps back or in place",
            do="run the splits stage again",
            where=where,
        )
    return part, left_out


def _matrix(frame: pl.DataFrame, feature_names: Sequence[str], keep: np.ndarray, where: str) -> np.ndarray:
    """(N, F) float32, a column at a time so that no second copy of the table is made."""
    X = np.empty((int(keep.sum()), len(feature_names)), np.float32)
    for j, name in enumerate(feature_names):
        X[:, j] = column = frame[name].to_numpy()[keep]
        infinite = np.isinf(column)
        if infinite.any():
            at = int(as_minutes(frame["datetime"])[keep][int(infinite.argmax())])
            raise DataError(
                "datasets/infinite",
                expected=f"finite values of {name}",
                came=f"{int(infinite.sum())} infinite ones, the first at {moment(at):%Y-%m-%d %H:%M} UTC",
                do=f"correct the feature {name}, or drop it",
                where=where,
            )
    return X


def _check_apart(earlier: Part, later: Part, name: str, next_name: str) -> None:
    """No label of the earlier split may live on in the later one. Raises DataError `datasets/overlap`."""
    if (known := int(earlier.label_end.max())) >= (begins := int(later.decision[0])):
        raise DataError(
            "datasets/overlap",
            expected=f"every label of {name} known before {next_name} begins at {moment(begins):%Y-%m-%d %H:%M} UTC",
            came=f"{int((earlier.label_end >= begins).sum())} that end later, the last at {moment(known):%Y-%m-%d %H:%M} UTC",
            do="run the splits stage again: it purges by label end",
        )
