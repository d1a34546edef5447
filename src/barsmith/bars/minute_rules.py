"""Options of cleaning: thin minutes and outliers left out, gaps filled, sessions with a hole dropped.

Each rule reads the minutes kept so far and the minute at hand, nothing later, and one function decides for a file and for a live
feed, so that both keep the same minutes. The exception is a session with a hole: it goes when the next session begins, live too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from barsmith.bars.minutes import FIELDS, Minutes, as_datetime
from barsmith.bars.sessions import Sessions
from barsmith.compiled import njit
from barsmith.config import CleanSettings

RANGES = 60
"""An outlier is measured against the mean range of so many kept minutes before it."""
FRESH = 5
"""Minutes after which the last kept close is too old to judge by: a price that stays away is a new level, no outlier."""
KEPT, THIN, FAR = 0, 1, 2
"""What becomes of a minute: it is kept, has too little volume, or reaches further than an outlier may."""


@njit
def is_outlier(ranges, before, high, low, times):  # type: ignore[no-untyped-def]
    """Whether a minute reaches further from the close before it than `times` the mean of these ranges, none of which may be missing."""
    total = 0.0
    for each in ranges:
        total += each
    return total > 0.0 and max(abs(high - before), abs(low - before)) * len(ranges) > times * total


@njit
def push(ranges, value):  # type: ignore[no-untyped-def]
    """The newest range in, the oldest out: NaN until there are enough, so that nothing is judged too early."""
    ranges[:-1] = ranges[1:]
    ranges[-1] = value


@njit
def is_quiet(bar, before):  # type: ignore[no-untyped-def]
    """Whether a minute without volume stands at the close before it, as those that fill a gap do: it says nothing about ranges."""
    return bar[4] == 0.0 and bar[0] == before and bar[1] == before and bar[2] == before and bar[3] == before


@njit
def judgement(bar, since, is_same, close, ranges, least, times):  # type: ignore[no-untyped-def]
    """KEPT, THIN or FAR. The minute is measured against the last kept one that is not quiet: its close, and the ranges up to it.

    since: minutes from that one to this. is_same: both are of one session and one contract.
    """
    if bar[4] < least:
        return THIN
    if is_same and since <= FRESH and is_outlier(ranges, close, bar[1], bar[2], times):
        return FAR
    return KEPT


@njit
def _sift(time, bars, number, era, ranges, last, least, times, drops, found):  # type: ignore[no-untyped-def]
    """Fill found, (n,) the judgement of each minute. last: time, close, session number and era of the last kept minute that is not quiet."""
    last_time, last_close, last_number, last_era = last
    for i in range(len(time)):
        is_same = number[i] == last_number and era[i] == last_era
        found[i] = judgement(bars[i], time[i] - last_time, is_same, last_close, ranges, least, times)
        if found[i] == THIN or (found[i] == FAR and drops) or is_quiet(bars[i], last_close):
            continue
        push(ranges, bars[i, 1] - bars[i, 2])
        last_time, last_close, last_number, last_era = time[i], bars[i, 3], number[i], era[i]


@dataclass(frozen=True)
class Sifted:
    """kept: (n,) bool. thin, far: how many minutes have too little volume, or reach too far; `first` the first far ones, UTC minutes."""

    kept: np.ndarray
    thin: int
    far: int
    first: tuple[int, ...]


def sifted(
    frame: pl.DataFrame,
    time: np.ndarray,
    number: np.ndarray,
    rules: CleanSettings,
    rolls: Sequence[int],
    before: Minutes,
    sessions: Sessions,
) -> Sifted:
    """Which in-session rows stay, after the minutes of `before`."""
    bars = np.column_stack([frame[name].cast(pl.Float64).to_numpy() for name in FIELDS]) if len(frame) else np.empty((0, 5))
    found, drops = np.empty(len(time), np.int8), rules.outliers == "drop"
    judged = last_judged(before, sessions)
    last = (judged.time, judged.close, judged.session, 0 if len(before) and judged.contract == before.contract[-1] else -1)
    era = eras(frame, time, rolls, before)
    _sift(time, bars, number, era, judged.ranges, last, rules.min_volume, rules.outlier_ranges, drops, found)
    far = found == FAR
    kept = found == KEPT if drops else found != THIN
    return Sifted(kept, int(np.count_nonzero(found == THIN)), int(np.count_nonzero(far)), tuple(time[far][:20].tolist()))


@dataclass
class Judged:
    """What the next minute is judged by: the last kept minute that is not quiet, and (RANGES,) the ranges up to it, NaN where there are too few."""

    time: int
    close: float
    session: int
    contract: int
    ranges: np.ndarray


def last_judged(minutes: Minutes, sessions: Sessions) -> Judged:
    ranges = np.full(RANGES, np.nan)
    loud = np.flatnonzero(~quiet(minutes.bars))
    if not len(loud):
        return Judged(-(10**9), np.nan, -1, -1, ranges)
    tail, at = minutes.bars[loud[-RANGES:]], int(loud[-1])
    ranges[-len(tail) :] = tail[:, 1] - tail[:, 2]
    time = int(minutes.time[at])
    return Judged(time, float(minutes.bars[at, 3]), sessions.number(time), int(minutes.contract[at]), ranges)


def quiet(bars: np.ndarray) -> np.ndarray:
    """(n,) bool, the first one never."""
    found = np.zeros(len(bars), bool)
    _quiet(bars, found)
    return found


@njit
def _quiet(bars, found):  # type: ignore[no-untyped-def]
    for i in range(1, len(bars)):
        found[i] = is_quiet(bars[i], bars[i - 1, 3])


def eras(frame: pl.DataFrame, time: np.ndarray, rolls: Sequence[int], before: Minutes) -> np.ndarray:
    """(n,) a number that grows with every change of contract; 0 for the contract of the last minute of `before`."""
    changed = np.zeros(len(time), bool)
    known = before.names[-1] if before.names else ""
    if "contract" in frame.columns:
        names = frame["contract"].fill_null(strategy="forward")
        changed |= (names != names.shift(1, fill_value=known or None)).fill_null(False).to_numpy()
        if len(names) and not known:
            changed[0] = False
    if "roll_ratio" in frame.columns:
        changed |= frame["roll_ratio"].cast(pl.Float64).fill_nan(None).is_not_null().to_numpy()
    since = np.concatenate((before.time[-1:], time)) if len(before) else np.concatenate((time[:1], time))
    passed = np.searchsorted(np.asarray(rolls, np.int64), since, "right")
    return np.cumsum(changed | (np.diff(passed) > 0)).astype(np.int64)


def carried(frame: pl.DataFrame, stays: np.ndarray) -> pl.DataFrame:
    """The rows that stay; the ratio of a roll whose first minute goes is that of the next one that stays."""
    if "roll_ratio" not in frame.columns or stays.all():
        return frame.filter(stays) if not stays.all() else frame
    ratio = frame["roll_ratio"].cast(pl.Float64).fill_nan(None).to_numpy().copy()
    places = np.flatnonzero(stays)
    for i in np.flatnonzero(np.isfinite(ratio) & ~stays).tolist():
        j = int(np.searchsorted(places, i))
        if j < len(places):
            at = int(places[j])
            ratio[at] = ratio[i] * (ratio[at] if np.isfinite(ratio[at]) else 1.0)
    return frame.with_columns(pl.Series("roll_ratio", ratio).fill_nan(None)).filter(stays)


def quiet_run(minutes: Minutes) -> int:
    """How many minutes in a row at the end are quiet."""
    loud = np.flatnonzero(~quiet(minutes.bars))
    return len(minutes) - 1 - int(loud[-1]) if len(loud) else len(minutes)


def missing_after(last: int, until: int, run: int, limit: int, sessions: Sessions) -> range:
    """The minutes that fill the gap after the minute `last`: at most `limit` in a row, before `until` and within its session."""
    close = sessions.span(sessions.number(last))[1]
    return range(last + 1, min(until, close, last + 1 + limit - run))


def filled(frame: pl.DataFrame, time: np.ndarray, limit: int, before: Minutes, sessions: Sessions) -> pl.DataFrame:
    """The rows with minutes without volume, at the close before them, in the gaps. Nothing follows the last row: it may not be over."""
    bars = frame.select(FIELDS[:5]).cast(pl.Float64).to_numpy() if len(frame) else np.empty((0, 5))
    last, close, run = (int(before.time[-1]), float(before.bars[-1, 3]), quiet_run(before)) if len(before) else (None, np.nan, 0)
    made: list[int] = []
    at: list[int] = []
    prices: list[float] = []
    for i, minute in enumerate(time.tolist()):
        if last is not None and minute - last > 1:
            gap = missing_after(last, minute, run, limit, sessions)
            made.extend(gap)
            at.extend([i] * len(gap))
            prices.extend([close] * len(gap))
            run += len(gap)
        run = run + 1 if last is not None and is_quiet(bars[i], close) else 0
        last, close = minute, float(bars[i, 3])
    if not made:
        return frame
    rows = pl.DataFrame({"datetime": as_datetime(np.array(made))} | dict.fromkeys(FIELDS[:4], prices) | {"volume": [0.0] * len(made)})
    if "contract" in frame.columns:
        own = before.names[-1] if before.names and before.names[-1] else None
        rows = rows.with_columns(pl.Series("contract", [frame["contract"][i - 1] if i else own for i in at], pl.String))
    wanted = [name for name in frame.columns if name in (*rows.columns, "roll_ratio")]
    both = pl.concat([frame.select(wanted).with_columns(pl.col(FIELDS).cast(pl.Float64)), rows], how="diagonal")
    return both.sort("datetime", maintain_order=True)


def without_holed(minutes: Minutes, sessions: Sessions, max_gap: int, current: int | None = None) -> tuple[Minutes, int]:
    """The minutes without the sessions that miss more than `max_gap` in a row, and how many those are.

    current: the session that is not over, the last minute's where none is given; it stays.
    """
    if len(minutes) < 2:
        return minutes, 0
    number = sessions.numbers(minutes.time)
    inside = np.diff(number) == 0
    holed = np.unique(number[1:][inside & (np.diff(minutes.time) - 1 > max_gap)])
    holed = holed[holed != (number[-1] if current is None else current)]
    if not len(holed):
        return minutes, 0
    stays = ~np.isin(number, holed)
    first = int(minutes.contract[stays][0]) if stays.any() else 0
    contract = (minutes.contract[stays] - first).astype(np.int32)
    return Minutes(minutes.time[stays], minutes.bars[stays], contract, minutes.factor[stays], minutes.names[first:]), len(holed)
