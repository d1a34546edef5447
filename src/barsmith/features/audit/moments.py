"""Which moments of a history are looked at most closely: edges of sessions and rungs, gaps, rolls, clock changes, the wildest bars."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from barsmith.bars.minutes import Minutes, moment
from barsmith.bars.sessions import CHICAGO, Sessions

RUNGS = (15, 60, 240)


def moments(minutes: Minutes, sessions: Sessions, count: int, seed: int = 11) -> list[int]:
    """Up to `count` row numbers of minutes, in order: at each one the bars before it are all that is known.

    The kinds take turns, so that a small count has some of each; the same history gives the same moments.
    """
    kinds = kinds_of(minutes, sessions, np.random.default_rng(seed))
    found: dict[int, None] = {}
    for round_ in zip_longest(*kinds):
        for row in round_:
            if row is not None and 1 < row < len(minutes) and len(found) < count:
                found[int(row)] = None
    return sorted(found)


def kinds_of(minutes: Minutes, sessions: Sessions, random: np.random.Generator) -> list[list[int]]:
    """Rows by kind, the most telling ones of each first."""
    time, number = minutes.time, sessions.numbers(minutes.time)
    opens = np.flatnonzero(np.diff(number)) + 1
    since = time - sessions.opens[number]
    anywhere = random.integers(2, max(len(time), 3), 400)
    edges = [rows_at(np.flatnonzero(since % step == 0), random) for step in RUNGS]
    return [
        rare_edges(minutes, sessions, number, opens),
        anywhere.tolist(),
        wild(minutes, opens),
        rows_at(opens, random),
        after_gaps(time, opens),
        rows_at(opens, random, later=7),
        [row for group in zip_longest(*edges) for row in group if row is not None],
    ]


def rows_at(rows: np.ndarray, random: np.random.Generator, later: int = 0) -> list[int]:
    return (random.permutation(rows) + later).tolist()


def rare_edges(minutes: Minutes, sessions: Sessions, number: np.ndarray, opens: np.ndarray) -> list[int]:
    """The first minutes of new contracts, and of the sessions around clock changes, half-days and missing days, some minutes in as well."""
    if not len(opens):
        return []
    day = np.unique(number)
    clock = np.array([moment(int(sessions.opens[n])).astimezone(CHICAGO).utcoffset().total_seconds() for n in day])  # type: ignore[union-attr]
    length = (sessions.closes - sessions.opens)[day]
    usual = np.median(length)
    strange = np.concatenate([day[1:][np.diff(clock) != 0], day[length != usual], day[1:][np.diff(day) > 1]])
    starts = np.searchsorted(number, np.unique(strange))
    rolls = np.flatnonzero(np.diff(minutes.contract)) + 1
    first = np.concatenate([rolls, rolls + 1, starts])
    return np.concatenate([first, starts + 33]).astype(int).tolist()


def wild(minutes: Minutes, opens: np.ndarray) -> list[int]:
    """The bars with the largest ranges, jumps and volumes: just before each, right after it and three bars later."""
    bars = minutes.adjusted()
    jump = np.abs(np.log(bars[1:, 0] / bars[:-1, 3]))
    jump[opens - 1] = 0.0  # a night's gap is no wild bar; those come as opens
    move = np.abs(np.diff(np.log(bars[:, 3])))
    found: list[int] = []
    rows = [
        np.argsort(-score, kind="stable")[:40] + later
        for score, later in ((bars[:, 1] / bars[:, 2], 0), (jump, 1), (move, 1), (bars[:, 4], 0))
    ]
    for group in zip(*rows, strict=False):
        for row in group:
            found += [int(row) + 1, int(row), int(row) + 4]
    return found


def after_gaps(time: np.ndarray, opens: np.ndarray) -> list[int]:
    """The first minutes after missing ones within a session, the longest gaps first."""
    gap = np.diff(time)
    gap[opens - 1] = 0
    rows = np.argsort(-gap, kind="stable")
    return (rows[gap[rows] > 1] + 1)[:400].tolist()


def starts(minutes: Minutes, sessions: Sessions, count: int = 8) -> list[int]:
    """Later beginnings of history: the open of a session, a minute after one, and the midst of bars, most of them early."""
    n = len(minutes)
    opens = np.flatnonzero(np.diff(sessions.numbers(minutes.time))) + 1
    shares: Sequence[float] = (0.01, 0.03, 0.06, 0.1, 0.16, 0.24, 0.34, 0.46)
    rows: list[int] = []
    for i, share in enumerate(shares[:count]):
        row = int(n * share) + 7 * i + 3
        later = opens[opens > max([row, *rows])]
        if i % 3 != 2 and len(later) and later[0] < 0.5 * n:
            row = int(later[0]) + i % 3
        rows.append(row)
    return sorted({row for row in rows if 0 < row < n})
