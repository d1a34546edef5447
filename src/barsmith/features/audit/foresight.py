"""Too good to be true: a column that knows the next bars' returns better than any honest feature does, wherever it has that from.

Tables of the future that are written into a file, be they looked up by prices or by month, day and hour, compute the same in every
process. What gives them away is what they know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from barsmith.features.audit.findings import Findings, Leak
from barsmith.features.audit.history import History

#: Base bars over which the return to come is taken, each return once; the same for the returns behind.
BARS = (1, 3, 12, 48)
#: Rank correlation with the return to come, and with its size, that no honest feature comes near (docs/audit.md has the figures), and
#: how much more than the returns behind a feature may know in a market that has trends.
DIRECTION, SIZE, MOMENTUM = 0.15, 0.75, 2.0
#: Standard deviations of a rank correlation by chance that come on top.
CHANCE = 5.0
#: Rows without which nothing can be said.
FEWEST = 100
#: Share of one value from which on it counts as silence, and share of the other rows at each end that are looked at alone.
SILENCE, END = 0.2, 0.02


@dataclass(frozen=True)
class Ahead:
    """What comes after every k-th row. direction, size: (n,) ranks of the return over k bars and of its size. momentum: what trends tell of it."""

    bars: int
    direction: np.ndarray
    size: np.ndarray
    momentum: float


def check_foresight(columns: Mapping[str, np.ndarray], history: History, findings: Findings) -> None:
    """Accuse each column, (m,), that knows the returns to come, be it by where it has no value; one without any is told as silent."""
    known = returns_to_come(history)
    findings.silent += [name for name, column in columns.items() if not np.isfinite(column).any()]
    for name, column in columns.items():
        for found, limit, what, first in (*correlations(column, known), *correlations(missing(column), known)):
            if abs(found) > limit:
                told = f"it knows {what}: rank correlation {found:.2f}, where honest features and chance stay within {limit:.2f}"
                findings.add(Leak(name, "foresight", history.bar(first), None, told))
                break


def missing(column: np.ndarray) -> np.ndarray:
    """1 where it has no finite value, from the first one on: such rows are left out of training."""
    has = np.isfinite(column)
    return np.where(np.logical_or.accumulate(has), 1.0 - has, np.nan)


def returns_to_come(history: History) -> list[Ahead]:
    price = np.log(np.maximum(history.rung.bars[:, 3], 1e-300))
    behind = [ranks(price - np.append(np.full(k, np.nan), price[:-k])) for k in BARS if k < len(price)]
    found = []
    for k in BARS:
        ahead = np.diff(price[::k])
        if len(ahead) > FEWEST:
            direction, size = ranks(ahead), ranks(np.abs(ahead))
            known = [each[::k][:-1] for each in behind]
            trends = [abs(correlation(each[is_known := np.isfinite(each)], direction[is_known])) for each in known]
            found.append(Ahead(k, direction, size, max(trends)))
    return found


def correlations(column: np.ndarray, known: Iterable[Ahead]) -> Iterator[tuple[float, float, str, int]]:
    """(rank correlation, its limit, what it is about, first row) over all rows, those where the column speaks, and its extremes."""
    place = ranks(column)
    rows = np.flatnonzero(np.isfinite(place))
    speaks = speaking(place, rows)
    low, high = np.quantile(place[speaks], [END, 1 - END]) if len(speaks) else (0.0, 0.0)
    ends = speaks[(place[speaks] <= low) | (place[speaks] >= high)]
    for ahead in known:
        what = "the next return" if ahead.bars == 1 else f"the return of the next {ahead.bars} bars"
        for chosen, where in ((rows, ""), (speaks, " where it says anything"), (ends, " at its extremes")):
            at = chosen[(chosen % ahead.bars == 0) & (chosen // ahead.bars < len(ahead.direction))]
            if len(at) > FEWEST:
                chance, then = CHANCE / np.sqrt(len(at)), at // ahead.bars
                limit = max(DIRECTION, MOMENTUM * ahead.momentum) + chance
                yield correlation(place[at], ahead.direction[then]), limit, what + where, int(at[0])
                if chosen is not ends:  # the widest bars come in clusters
                    yield correlation(place[at], ahead.size[then]), SIZE + chance, f"the size of {what}{where}", int(at[0])


def speaking(place: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows without the most common value, where that is common."""
    values, count = np.unique(place[rows], return_counts=True)
    is_silence = len(count) > 0 and count.max() > SILENCE * len(rows)
    return rows[place[rows] != values[np.argmax(count)]] if is_silence else rows


def ranks(column: np.ndarray) -> np.ndarray:
    """(m,) ranks of the finite values, equal ones with their mean rank; NaN elsewhere."""
    rows = np.flatnonzero(np.isfinite(column))
    order = rows[np.argsort(column[rows], kind="stable")]
    begins = np.flatnonzero(np.diff(column[order], prepend=np.nan) != 0)
    count = np.diff(np.append(begins, len(order)))
    out = np.full(len(column), np.nan)
    out[order] = np.repeat(begins + (count - 1) / 2, count)
    return out


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt(np.dot(a, a) * np.dot(b, b))
    return float(np.dot(a, b) / size) if size > 0 else 0.0
