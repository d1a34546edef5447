"""Plain functions: what they give over a whole history, against what they give over the last bars that they declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from barsmith.features.audit.differences import Scale, differing
from barsmith.features.audit.findings import Findings, Leak
from barsmith.features.audit.history import History
from barsmith.features.audit.moments import moments
from barsmith.features.plain import Bars, PlainFunction, numbers_of

#: Bars at which a function that differs is read over what was known then, to tell the future from the past.
ASKED = 12
#: Bars at which it is asked first, evenly spread and at the edges, and so many again.
SOME = 300
#: Tails that are read again once the function has seen the whole history.
AGAIN = 1_500


class Functions(Protocol):
    """Plain functions by name, in this process or in another one. rows: (n, 6), see `rows_of`."""

    def tails(self, rows: np.ndarray, order: np.ndarray, name: str) -> np.ndarray:
        """(n,) the value at each row of `order`, each time over its last bars alone; NaN elsewhere."""

    def call(self, rows: np.ndarray, name: str) -> np.ndarray:
        """(n,) what it gives over all these bars at once."""


class OwnFunctions:
    """Those of this process."""

    def __init__(self, functions: Mapping[str, PlainFunction]) -> None:
        self.functions = functions

    def tails(self, rows: np.ndarray, order: np.ndarray, name: str) -> np.ndarray:
        values = np.full(len(rows), np.nan)
        values[order] = tails_of(self.functions[name], rows, order)
        return values

    def call(self, rows: np.ndarray, name: str) -> np.ndarray:
        return whole_of(self.functions[name], rows)


def tails_of(function: PlainFunction, rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(len(order),) its value at each of these rows, each time over its last bars alone."""
    return np.array([function.called(bars_of(rows[t + 1 - function.lookback : t + 1])) for t in order.tolist()], np.float64)


def whole_of(function: PlainFunction, rows: np.ndarray) -> np.ndarray:
    """(n,) what it gives over all these bars at once. Raises ValueError where that is not one number for each."""
    values = numbers_of(function.function(bars_of(rows)))
    if values.shape != (len(rows),):
        raise ValueError(f"for {len(rows)} bars it returns an array of shape {values.shape}, not one number for each bar")
    return values


def bars_of(rows: np.ndarray) -> Bars:
    """`Bars` as a data run hands them over: read-only."""
    columns = [np.ascontiguousarray(rows[:, i]) for i in range(5)]
    columns.append(rows[:, 5].astype(np.int64) * np.timedelta64(60_000_000, "us") + np.datetime64(0, "us"))
    for column in columns:
        column.flags.writeable = False
    return Bars(*columns)


def rows_of(history: History) -> np.ndarray:
    """(m, 6) what a plain function reads: open high low close volume, and the bar's open in minutes since 1970."""
    return np.column_stack([history.rung.bars, history.rung.start.astype(np.float64)])


def early_leaks(worker: Functions, name: str, lookback: int, history: History) -> Findings:
    """What some hundred bars show already: whoever leaks there need not be asked at every bar. A function whose tails change is left for later."""
    found, rows, order = Findings(), rows_of(history), some_rows(history, lookback)
    tails, whole, again = worker.tails(rows, order, name), worker.call(rows, name), worker.tails(rows, order[::-1], name)
    scale = Scale.of(tails)
    if not differing(again, tails, scale).leaks.any():
        apart = order[differing(whole[order], tails[order], scale, same_origin=False).leaks]
        if len(apart):
            which_way(worker, name, apart, whole, tails, history, found)
    return found


def some_rows(history: History, lookback: int) -> np.ndarray:
    """Rows with a whole tail, in order: evenly spread, and those at the moments that are looked at most closely."""
    near = np.searchsorted(history.rung.last, moments(history.minutes, history.sessions, SOME))
    even = np.linspace(lookback - 1, len(history) - 1, SOME).astype(int)
    rows = np.unique(np.concatenate([even, near - 1, near]))
    return rows[(rows >= lookback - 1) & (rows < len(history))]


def function_leaks(worker: Functions, name: str, lookback: int, tails: np.ndarray, history: History) -> Findings:
    """Its whole-history column against its tails. tails: (m,) what it gave at every bar, NaN before `lookback` bars."""
    found, rows, scale = Findings(), rows_of(history), Scale.of(tails)
    whole = worker.call(rows, name)
    settled = np.arange(len(tails)) >= lookback - 1
    difference = differing(whole, tails, scale, same_origin=False)
    apart, rounds = difference.leaks & settled, difference.rounds & settled
    if rounds.any():
        found.round(name, float(difference.size[rounds].max()))
    if apart.any():
        which_way(worker, name, np.flatnonzero(apart), whole, tails, history, found)
    if not found.leaks:
        check_memory(worker, name, lookback, tails, history, found)
    return found


def which_way(
    worker: Functions, name: str, apart: np.ndarray, whole: np.ndarray, tails: np.ndarray, history: History, found: Findings
) -> None:
    """Does the value change with later bars, or does it need earlier ones? Asked at some of the bars where whole and tail differ."""
    scale, rows = Scale.of(tails), rows_of(history)
    chosen = apart[np.unique(np.linspace(0, len(apart) - 1, ASKED).astype(int))]
    for t in chosen.tolist():
        known = worker.call(rows[: t + 1], name)[-1:]
        ahead = differing(whole[t : t + 1], known, scale, same_origin=False)
        behind = differing(known, tails[t : t + 1], scale, same_origin=False)
        if ahead:
            found.add(Leak(name, "future", history.bar(t), ahead.at_first))
        elif behind:
            found.add(Leak(name, "lookback", history.bar(t), behind.at_first))
    if (name, "future") in found.leaks:  # what looks ahead cannot also be asked how far it looks back
        found.leaks.pop((name, "lookback"), None)


def check_memory(worker: Functions, name: str, lookback: int, tails: np.ndarray, history: History, found: Findings) -> None:
    """Once more on some tails, now that it has seen everything: a function that kept what it saw gives other values."""
    rows = rows_of(history)
    order = np.random.default_rng(3).permutation(np.arange(lookback - 1, len(rows)))[:AGAIN]
    after = worker.tails(rows, order, name)
    difference = differing(after[order], tails[order], Scale.of(tails))
    if difference:
        at = int(order[difference.leaks].min())
        size = abs(after[at] - tails[at])
        found.add(Leak(name, "stateful", history.bar(at), float(size) if np.isfinite(size) else None))
