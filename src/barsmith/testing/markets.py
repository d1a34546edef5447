"""Minutes that bring out what is wrong with a feature: an ordinary market, one with everything that goes wrong, and one of a single price."""

from __future__ import annotations

import numpy as np

from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import load_sessions

SESSIONS = load_sessions("equity_index", "ETH")
TICK = 0.1  # not a binary fraction: sums of such prices are rounded
OCTOBER = int(SESSIONS.number(int(np.datetime64("2025-10-15T12:00", "m").astype(np.int64))))


def ordinary_minutes(sessions: int, seed: int, first: int = OCTOBER) -> Minutes:
    """Random minutes of whole sessions: volatility that comes in clusters, prices on ticks, some minutes without movement."""
    random = np.random.default_rng(seed)
    time = np.concatenate([np.arange(SESSIONS.opens[s], SESSIONS.closes[s]) for s in range(first, first + sessions)])
    n = len(time)
    heat, size = np.empty(n), 0.0
    for i, shock in enumerate(random.normal(scale=0.08, size=n)):
        size = 0.99 * size + shock
        heat[i] = size
    scale = 6.0 * np.exp(heat - 1.0)
    close = 40_000 + np.cumsum(np.rint(random.normal(scale=scale)))
    open_ = np.concatenate([[close[0]], close[:-1]]) + np.rint(random.normal(scale=0.4, size=n))
    high = np.maximum(open_, close) + np.floor(random.exponential(scale=scale / 2))
    low = np.minimum(open_, close) - np.floor(random.exponential(scale=scale / 2))
    volume = np.floor(np.exp(random.normal(loc=3.0, scale=1.0, size=n)) * scale)
    return Minutes.of(time, np.column_stack([open_ * TICK, high * TICK, low * TICK, close * TICK, volume]))


def awkward_minutes(seed: int = 11) -> Minutes:
    """35 sessions from the middle of one, over a clock change, a halt and a half-day.

    With holes, still hours, hours without trades, a jump and a roll.
    """
    random = np.random.default_rng(seed)
    whole = ordinary_minutes(35, seed)
    time, bars = whole.time, whole.bars.copy()
    session = SESSIONS.numbers(time) - OCTOBER
    since_open = time - SESSIONS.opens[session + OCTOBER]

    def hours(number: int, first: float, last: float) -> np.ndarray:
        return (session == number) & (since_open >= 60 * first) & (since_open < 60 * last)

    for number, first, last in ((3, 2, 3), (25, 4, 6), (27, 0, 23)):  # still, and yet traded
        bars[hours(number, first, last), :4] = bars[hours(number, first, last)][0, 3]
    for number, first, last in ((24, 1, 4), (27, 12, 20)):  # nothing traded
        bars[hours(number, first, last), 4] = 0.0
    bars[time > time[hours(26, 10, 11)][0], :4] *= 1.05
    rolled = session >= 29
    bars[rolled, :4] *= 1.01
    keep = random.random(len(time)) > 0.03
    for number, start, end in ((2, 5, 8), (23, 0, 1), (26, 21.5, 23), (28, 7, 7.1), (30, 0, 23)):  # minutes that are not there
        keep[hours(number, start, end)] = False
    keep[hours(0, 0, 7.05)] = False
    factor = np.where(rolled, 1.01, 1.0)
    return kept(Minutes(time, bars, rolled.astype(np.int32), factor), keep)


def kept(minutes: Minutes, keep: np.ndarray) -> Minutes:
    """The minutes of a mask. keep: (n,) bool."""
    return Minutes(minutes.time[keep], minutes.bars[keep], minutes.contract[keep], minutes.factor[keep])


def still_minutes(sessions: int, price: float = 5000.1, volume: float = 0.0, first: int = OCTOBER) -> Minutes:
    """A market of one price."""
    time = np.concatenate([np.arange(SESSIONS.opens[s], SESSIONS.closes[s]) for s in range(first, first + sessions)])
    return Minutes.of(time, np.tile([price, price, price, price, volume], (len(time), 1)))


def scaled(minutes: Minutes, factor: float) -> Minutes:
    """The same market in another currency."""
    bars = minutes.bars.copy()
    bars[:, :4] *= factor
    return Minutes(minutes.time, bars, minutes.contract, minutes.factor)


def untraded(minutes: Minutes, hours: int = 3) -> Minutes:
    """The same prices with stretches of so many hours in which nothing trades, as long as those between; the last three days wholly."""
    bars = minutes.bars.copy()
    bars[(minutes.time // (60 * hours)) % 2 == 0, 4] = 0.0
    bars[minutes.time > minutes.time[-1] - 3 * 1440, 4] = 0.0
    return Minutes(minutes.time, bars, minutes.contract, minutes.factor)
