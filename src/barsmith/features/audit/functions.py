"""Plain functions: what they give over a whole history, against what they give over the last bars that they declared."""

from __future__ import annotations

import numpy as np

from barsmith.features.audit.differences import Scale, differing
from barsmith.features.audit.findings import Findings, Leak
from barsmith.features.audit.history import History
from barsmith.features.audit.worker import Worker

#: Bars at which a function that differs is read over what was known then, to tell the future from the past.
ASKED = 12
#: Tails that are read again once the function has seen the whole history.
AGAIN = 1_500


def rows_of(history: History) -> np.ndarray:
    """(m, 6) what a plain function reads: open high low close volume, and the bar's open in minutes since 1970."""
    return np.column_stack([history.rung.bars, history.rung.start.astype(np.float64)])


def function_leaks(worker: Worker, name: str, lookback: int, tails: np.ndarray, history: History) -> Findings:
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
    worker: Worker, name: str, apart: np.ndarray, whole: np.ndarray, tails: np.ndarray, history: History, found: Findings
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


def check_memory(worker: Worker, name: str, lookback: int, tails: np.ndarray, history: History, found: Findings) -> None:
    """Once more on some tails, now that it has seen everything: a function that kept what it saw gives other values."""
    rows = rows_of(history)
    order = np.random.default_rng(3).permutation(np.arange(lookback - 1, len(rows)))[:AGAIN]
    after = worker.tails(rows, order, name)
    difference = differing(after[order], tails[order], Scale.of(tails))
    if difference:
        at = int(order[difference.leaks].min())
        size = abs(after[at] - tails[at])
        found.add(Leak(name, "stateful", history.bar(at), float(size) if np.isfinite(size) else None))
