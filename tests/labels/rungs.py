"""Base bars made by hand from minutes, for tests that need odd ones."""

from __future__ import annotations

import numpy as np

from barsmith.bars.ladder import Rung
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions


def minutes_of(time: list[int], prices: list[list[float]], contract: list[int] | None = None) -> Minutes:
    """Minutes with volume 1; prices are rows of open, high, low, close."""
    bars = np.column_stack([np.array(prices, float).reshape(-1, 4), np.ones(len(time))])
    plain = Minutes.of(np.array(time), bars)
    return plain if contract is None else Minutes(plain.time, plain.bars, np.array(contract, np.int32), plain.factor)


def rung_of(minutes: Minutes, step: int = 5) -> Rung:
    """Every bucket of `step` minutes since 1970 that holds a minute; the last one counts as finished."""
    bucket = minutes.time // step
    first = np.flatnonzero(np.r_[True, bucket[1:] != bucket[:-1]])
    last = np.r_[first[1:], len(bucket)] - 1
    spans = [minutes.bars[a : b + 1] for a, b in zip(first, last, strict=True)]
    bars = np.array([[s[0, 0], s[:, 1].max(), s[:, 2].min(), s[-1, 3], s[:, 4].sum()] for s in spans])
    start = bucket[first] * step
    return Rung(f"{step}m", start, start + step, bars, np.zeros(len(first), np.int64), minutes.contract[last], first, last)


def random_minutes(seed: int, n: int = 600, missing: float = 0.1, contracts: int = 1) -> Minutes:
    """A coarse random walk on quarter points, so that ties and exact touches happen; some minutes missing."""
    rng = np.random.default_rng(seed)
    time = 1_000_000 + np.flatnonzero(rng.random(n) >= missing)
    close = 400.0 + np.cumsum(rng.integers(-3, 4, len(time))) * 0.25
    open_ = np.r_[400.0, close[:-1]] + rng.integers(-1, 2, len(time)) * 0.25
    high = np.maximum(open_, close) + rng.integers(0, 3, len(time)) * 0.25
    low = np.minimum(open_, close) - rng.integers(0, 3, len(time)) * 0.25
    number = np.sort(rng.integers(0, contracts, len(time))).tolist()
    return minutes_of(time.tolist(), np.column_stack([open_, high, low, close]).tolist(), number)


def hourly_sessions(count: int = 40, first: int = 1_000_000, length: int = 60, rest: int = 20) -> Sessions:
    """Sessions of `length` minutes with `rest` minutes between them."""
    opens = first + (length + rest) * np.arange(count, dtype=np.int64)
    return Sessions("made by hand", "ETH", opens, opens + length, np.arange(count, dtype=np.int64), (0, 1 << 40))


def session_minutes(sessions: Sessions, seed: int, n: int = 600, missing: float = 0.1, contracts: int = 1) -> Minutes:
    """`random_minutes` without those between the sessions."""
    found = random_minutes(seed, n, missing, contracts)
    return kept(found, sessions.numbers(found.time) >= 0)


def kept(minutes: Minutes, rows: np.ndarray) -> Minutes:
    return Minutes(minutes.time[rows], minutes.bars[rows], minutes.contract[rows], minutes.factor[rows])
