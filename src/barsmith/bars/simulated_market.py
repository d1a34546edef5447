"""What a simulated market looks like: its volatility and volume through the day, its clustering, jumps, missing minutes and edge.

The numbers are stylised, set by hand so that bars, ranges and label shares resemble those of the contract; none is fitted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np

from barsmith.bars.sessions import EPOCH, Sessions, load_sessions
from barsmith.errors import UsageError
from barsmith.instruments import Instrument

BAR = 5
"""Minutes of a base bar: the step of volatility, signal and edge."""
SIGNAL_BARS = 50
"""The signal's mean runs over so many base bars."""
LAST_DAY = date(2025, 12, 31)
"""A market without a start ends here: fixed, so that a seed means the same bars on every day, and never in the future."""
LONG_BREAK = 6 * 60
"""Minutes from which a break between sessions is a weekend or a holiday."""

# Volatility relative to its day, by half-hour from the session's open (17:00 in Chicago, midnight UTC for `always`).
_EQUITY_INDEX = """
    1.00 .85 .78 .75  .95 .88 .85 .75  .65 .62 .60 .55  .55 .55 .62 .65  .70 .75 1.0 .92  .95 .85 .82 .78
    .80 .80 .90 1.0  1.1 1.45 1.2 2.3  2.0 1.85 1.7 1.5  1.4 1.35 1.35 1.35  1.3 1.4 1.4 1.65  1.1 .75"""
_METALS = """
    1.20 .90 .90 .95  1.2 1.1 1.3 1.2  1.0 .92 .88 .80  .75 .80 .90 1.0  1.0 1.0 1.15 1.05  1.1 .95 .95 .92
    .95 1.0 1.05 1.1  1.4 1.7 1.5 1.9  1.8 1.5 1.35 1.15  1.1 1.05 1.0 1.0  .95 1.0 .92 .85  .78 .70"""
_ENERGY = """
    .90 .70 .65 .65  .75 .70 .70 .65  .60 .60 .60 .55  .60 .65 .75 .85  .95 1.0 1.1 1.0  1.0 .95 .95 .95
    1.0 1.0 1.1 1.2  1.5 1.6 1.7 1.7  1.8 1.7 1.6 1.4  1.3 1.3 1.3 1.5  1.5 1.1 .90 .80  .70 .60"""
SHAPES = {name: np.array(text.split(), float) for name, text in (("equity_index", _EQUITY_INDEX), ("metals", _METALS), ("energy", _ENERGY))}
SHAPES["always"] = np.ones(48)
VOLUME_POWER = {"equity_index": 3.0, "metals": 1.8, "energy": 2.0, "always": 1.0}
"""Volume follows the day's volatility to this power."""


class Process(NamedTuple):
    """The price process, in units of the volatility of one base bar. A plain tuple, so that Numba reads it."""

    edge: float
    slow_decay: float = 0.9995
    slow_spread: float = 0.38
    slow_shock: float = 0.38 * math.sqrt(1 - 0.9995**2)
    fast_decay: float = 0.935
    fast_spread: float = 0.35
    fast_shock: float = 0.35 * math.sqrt(1 - 0.935**2)
    bar_spread: float = 0.20
    jump_chance: float = 0.0015
    jump_size: float = 4.0
    break_size: float = 1.5
    long_break_size: float = 6.0


@dataclass(frozen=True)
class Market:
    """A contract's price to begin with, its volatility (root mean square of a base bar's return, in 1e-4) and lots a day."""

    price: float
    volatility: float
    lots: float


MARKETS = {
    "MES": Market(6000.0, 5.0, 1_200_000),
    "ES": Market(6000.0, 5.0, 1_500_000),
    "MNQ": Market(21_000.0, 6.5, 1_600_000),
    "NQ": Market(21_000.0, 6.5, 600_000),
    "MGC": Market(2700.0, 6.5, 250_000),
    "GC": Market(2700.0, 6.5, 200_000),
    "SI": Market(31.0, 11.0, 60_000),
    "CL": Market(70.0, 11.0, 300_000),
}


def market_of(contract: Instrument) -> Market:
    """The shipped market, or for a user's contract one of ten thousand ticks and middling volatility."""
    return MARKETS.get(contract.symbol, Market(10_000 * contract.tick, 8.0, 100_000))


@dataclass(frozen=True, eq=False)
class Slots:
    """The base bars that the calendar has room for, one after the other; every one of them trades at least one minute.

    start: (n,) int64 minutes since 1970. volatility: (n,) of the return, before clustering. holes: (n,) chance that some minutes are
    without a trade. lots: (n,) expected volume of a minute. gap: (n,) volatility of the price's jump before the bar, 0 inside a
    session. days: how many of the slots belong to the sessions that were asked for.
    """

    start: np.ndarray
    volatility: np.ndarray
    holes: np.ndarray
    lots: np.ndarray
    gap: np.ndarray
    days: int


def slots(contract: Instrument, market: Market, process: Process, start: date | None, days: int) -> Slots:
    """The base bars of `days` sessions and of the two that follow.

    start: trade date of the first session, or of the next after it; None: the days end with LAST_DAY.
    """
    sessions: Sessions = load_sessions(contract.calendar)
    if start is None:
        first = int(np.searchsorted(sessions.trade_date, (LAST_DAY - EPOCH).days, "right")) - days
    else:
        first = int(np.searchsorted(sessions.trade_date, (start - EPOCH).days))
    if days < 1 or first < 0 or first + days + 2 > len(sessions):
        raise UsageError(
            "simulate/days",
            expected=f"days of the session table of {contract.calendar}, which has {len(sessions)} sessions",
            came=f"{days} days" + (f" from {start}" if start else ""),
            do="ask for fewer days, or another start",
        )
    chosen = slice(first, first + days + 2)
    opens, closes = sessions.opens[chosen], sessions.closes[chosen]
    counts = -(-(closes - opens) // BAR)
    session = np.repeat(np.arange(len(opens)), counts)
    place = np.arange(len(session)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = SHAPES[contract.calendar]
    relative = shape[np.minimum(place * BAR // 30, len(shape) - 1)]
    unit = market.volatility * 1e-4 / np.sqrt(np.mean(shape**2))
    busy = relative ** VOLUME_POWER[contract.calendar]
    pause = np.concatenate(([0], opens[1:] - closes[:-1]))[session]
    size = np.where(pause >= LONG_BREAK, process.long_break_size, np.where(pause > 0, process.break_size, 0.0))
    return Slots(
        start=opens[session] + place * BAR,
        volatility=unit * relative,
        holes=np.minimum(0.3, 0.006 / relative**3),
        lots=market.lots / 1380 * busy / busy.mean(),
        gap=np.where(place == 0, size * unit, 0.0),
        days=int(counts[:days].sum()),
    )
