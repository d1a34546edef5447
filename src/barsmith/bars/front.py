"""One continuous series out of several contracts side by side: which one is in front in each session, known when it opens.

The front of a session is the contract of the largest volume in the session before, and never an earlier expiry than the front so
far; a new one takes over with its first bar from the session's open on. Nothing of a session decides about that session itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from barsmith.bars.contracts import expiry, several
from barsmith.bars.minutes import moment
from barsmith.bars.row_checks import Rows

if TYPE_CHECKING:  # sessions bring Numba, which reading a file does not need
    from barsmith.bars.sessions import Sessions

BEFORE = "bring the session before as well, or keep the bars of one contract"


@dataclass(frozen=True)
class Front:
    """The bars of the front contract.

    rows: their positions, in the order of time. ratio: (len(rows),) new close over old close at the last minute both have before
    the roll, on the first bar of a new contract; NaN elsewhere and where they have none. rolls: see `Quality.rolls`.
    duplicates: positions of bars that a later one of the same contract and minute replaces. unchosen: bars of the first session,
    whose session before is not there. others: bars of contracts behind the front.
    """

    rows: np.ndarray
    ratio: np.ndarray
    rolls: list[dict[str, Any]]
    duplicates: np.ndarray
    unchosen: int
    others: int


def front_series(kept: np.ndarray, rows: Rows, names: pl.Series, sessions: Sessions, where: str) -> Front:
    """The front contract's bars among `kept`, positions of good bars of single contracts.

    names: the contract of every bar of `rows`. Raises DataError `bars/several-contracts` where expiries cannot be ordered or no
    session has one before it.
    """
    time = rows["time"]
    order = by_expiry(names.gather(kept), int(time[kept].min()), where)
    code = names.cast(pl.Enum([*order, *(name for name in names.unique() if name not in order)])).to_physical().to_numpy().astype(np.int64)
    ordered = kept[np.lexsort((np.arange(len(kept)), code[kept], time[kept]))]
    again = (np.diff(time[ordered]) == 0) & (np.diff(code[ordered]) == 0)
    duplicates, ordered = ordered[:-1][again], ordered[np.append(~again, True)]
    t, c = time[ordered], code[ordered]
    number = sessions.numbers(t)
    seen, place = np.unique(number[number >= 0], return_inverse=True)
    if len(seen) < 2:
        raise several(f"{len(order)} contracts within one session, and none before it to choose by", where, BEFORE)
    inside = number >= 0
    volume = np.bincount(place * len(order) + c[inside], rows["volume"][ordered][inside], len(seen) * len(order))
    front = fronts(volume.reshape(len(seen), len(order)))
    at = np.searchsorted(sessions.opens[seen], t, "right") - 1  # echoes after the close belong to the session before
    chosen = (at > 0) & (front[at] == c)
    if not chosen.any():
        raise several(f"{len(order)} contracts, of which the one in front has no bar", where, BEFORE)
    picked = np.flatnonzero(chosen)
    ratio, rolls = np.full(len(picked), np.nan), []
    for i in (np.flatnonzero(np.diff(c[picked])) + 1).tolist():
        old, new, first = c[picked[i - 1]], c[picked[i]], picked[i]
        common = last_common(t[:first], c[:first], old, new)
        closes = [float(rows["close"][ordered[j]]) for j in common] if common else None
        if closes:
            ratio[i] = closes[1] / closes[0]
        rolls.append(told(int(t[first]), (order[old], order[new]), closes, int(t[common[0]]) if common else None))
    unchosen = int(np.count_nonzero((at <= 0) | (front[at] < 0)))
    return Front(ordered[picked], ratio, rolls, duplicates, unchosen, len(ordered) - unchosen - len(picked))


def by_expiry(names: pl.Series, first_minute: int, where: str) -> list[str]:
    """The contracts, the nearest expiry first."""
    seen = moment(first_minute).date()
    dated = {name: expiry(name, seen) for name in names.unique(maintain_order=True)}
    unknown = [name for name, when in dated.items() if when is None]
    if unknown:
        do = "name them as the exchange does, root, month and year, as MESU5"
        raise several(f"several contracts, of which {unknown[0]!a} does not say when it expires", where, do)
    return sorted(dated, key=lambda name: (dated[name], name))


def fronts(volume: np.ndarray) -> np.ndarray:
    """(S,) front contract of each session, -1 for the first: volume is (S, contracts), contracts in the order of expiry."""
    front = np.full(len(volume), -1, np.int64)
    for s in range(1, len(volume)):
        best = int(volume[s - 1].argmax())  # of equals the nearest
        front[s] = max(best, front[s - 1]) if volume[s - 1, best] > 0 else front[s - 1]
    return front


def last_common(time: np.ndarray, code: np.ndarray, old: int, new: int) -> tuple[int, int] | None:
    """Positions of the old and the new contract's bar in the last minute that both have."""
    of_old, of_new = np.flatnonzero(code == old), np.flatnonzero(code == new)
    both, i, j = np.intersect1d(time[of_old], time[of_new], assume_unique=True, return_indices=True)
    return (int(of_old[i[-1]]), int(of_new[j[-1]])) if len(both) else None


def told(time: int, names: tuple[str, str], closes: list[float] | None, common: int | None) -> dict[str, Any]:
    old, new = names
    found = {"time": time, "from": old, "to": new, "common_minute": common}
    if closes is None:
        return {**found, "old_close": None, "new_close": None}
    return {**found, "old_close": closes[0], "new_close": closes[1]}
