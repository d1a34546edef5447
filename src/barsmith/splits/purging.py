"""Purging: no row may learn whose label lives on in the rows that judge it."""

from __future__ import annotations

import numpy as np

from barsmith.errors import DataError, UsageError


def overlaps(decision: np.ndarray, label_end: np.ndarray, start: int, end: int) -> np.ndarray:
    """Whether each span [decision, label_end] meets [start, end]: closed intervals, a shared moment is an overlap."""
    return (decision <= end) & (label_end >= start)


def purged(train_rows: np.ndarray, decision: np.ndarray, label_end: np.ndarray, test_start: int, test_end: int) -> np.ndarray:
    """The training rows whose label span does not meet the test block's.

    train_rows: row numbers. decision, label_end: (n,) int64 minutes over all rows.
    test_start: decision of the test block's first row. test_end: the latest label_end of the test block.

    >>> decision, label_end = np.arange(10), np.array([1, 2, 5, 4, 6, 7, 8, 9, 9, 9])
    >>> purged(np.arange(5), decision, label_end, 5, 9)                   # 2 ends at 5, 4 ends at 6
    array([0, 1, 3])

    Source: Lopez de Prado (2018), section 7.4.1.
    """
    return train_rows[~overlaps(decision[train_rows], label_end[train_rows], test_start, test_end)]


def inner_split(
    rows: np.ndarray, decision: np.ndarray, label_end: np.ndarray, share: float = 0.15, purge_bars: int = 60
) -> tuple[np.ndarray, np.ndarray]:
    """(fit_rows, stop_rows): the last `share` of the training rows judges when to stop, the rest fits.

    rows: training rows in the order of time. Between the two, purge_bars rows are left out, and every fitting row
    whose label ends at or after the first stopping decision. Validation rows are never spent on stopping.
    Raises UsageError `splits/settings`, DataError `splits/empty`.
    """
    if not 0.0 < share < 1.0:
        raise UsageError(
            "splits/settings", expected="a share between 0 and 1", came=str(share), do="correct the share kept for early stopping"
        )
    kept = round(len(rows) * (1.0 - share))
    fit, stop = rows[: max(0, kept - purge_bars)], rows[kept:]
    if len(stop):
        fit = purged(fit, decision, label_end, int(decision[stop[0]]), int(label_end[stop].max()))
    if not len(fit) or not len(stop):
        raise DataError(
            "splits/empty",
            expected=f"training rows left on both sides of a purge of {purge_bars} rows, {share:.0%} of them for early stopping",
            came=f"{len(fit)} to fit and {len(stop)} to stop on, of {len(rows)}",
            do=f"bring more than {int(purge_bars / (1.0 - share)) + 2} labelled training rows, or train for a shorter horizon",
        )
    return fit, stop
