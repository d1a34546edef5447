"""A simulated market: one-minute bars with an edge of known size, and the truth about them.

The last price follows base bars of five minutes. Before each, its volatility is known to the market: the day's shape times the exponential
of a slow and a fast AR(1). Its return has mean `edge` times that volatility times the signal, which is -1 where the last close is
above the mean of the last 50 closes and +1 elsewhere: prices lean back to their mean. All the rest is symmetric noise with fat
tails and jumps, so with edge 0 nobody can predict the direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_datetime
from barsmith.bars.simulated_market import BAR, SIGNAL_BARS, Process, Slots, market_of, slots
from barsmith.compiled import njit
from barsmith.config import Settings
from barsmith.errors import UsageError
from barsmith.instruments import instrument


@dataclass(frozen=True, eq=False)
class Simulated:
    """bars: raw one-minute bars. truth: one row for each base bar (see `simulate_truth.truth_frame`). settings: what made them."""

    bars: pl.DataFrame
    truth: pl.DataFrame
    settings: dict[str, Any]


class Barriers(NamedTuple):
    """The question that the truth answers: distances in ATR, horizons in base bars, ascending, and the futures drawn for each row."""

    k_up: float
    k_down: float
    horizons: tuple[int, ...]
    paths: int


@dataclass(frozen=True, eq=False)
class History:
    """What the market knows: the minutes, and at each base bar's close the state that its next bar is drawn from.

    minute, bars: (n,) and (n, 5), prices in ticks. close: (m,) in ticks. slow, fast: (m,) log volatility of the next bar.
    """

    minute: np.ndarray
    bars: np.ndarray
    close: np.ndarray
    slow: np.ndarray
    fast: np.ndarray


def simulate(
    symbol: str = "MES",
    days: int = 250,
    seed: int = 7,
    edge: float = 0.1,
    *,
    start: date | None = None,
    horizons: Sequence[int] = (5, 10, 15, 20),
    k_up: float | None = None,
    k_down: float | None = None,
    paths: int = 512,
    settings: Settings | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Simulated:
    """One-minute bars of `days` sessions in the contract's own calendar, and the truth about their labels.

    start: trade date to begin with; left out, the days end with 2025.
    edge: mean of the next base bar's return in units of its volatility, in the direction of `signal`; 0.1 is large, 0 is none.
    horizons, k_up, k_down: the triple barrier that the truth is about (the contract's own where left out).
    paths: futures drawn from each base bar to find its label probabilities; 0 leaves them out. progress: told the share done.
    The same arguments give the same bytes. Raises UsageError `simulate/...` for arguments out of range.
    """
    from barsmith.bars.simulate_truth import truth_frame

    contract = instrument(symbol, settings)
    k_up, k_down = contract.k_up if k_up is None else k_up, contract.k_down if k_down is None else k_down
    for name, value, low, high in (("edge", edge, -1.0, 1.0), ("paths", paths, 0, 1_000_000), ("seed", seed, 0, 2**63)):
        if not low <= value <= high:
            raise UsageError("simulate/range", expected=f"{name} from {low} to {high}", came=str(value), do=f"correct {name}")
    if not horizons or min(horizons) < 1 or max(horizons) > 250 or k_up <= 0 or k_down <= 0:
        came = f"horizons {tuple(horizons)}, barriers {k_up} and {k_down}"
        raise UsageError("simulate/range", expected="horizons from 1 to 250 and barriers above zero", came=came, do="correct them")
    market, process = market_of(contract), Process(float(edge))
    room = slots(contract, market, process, start, days)
    bars_seed, truth_seed = np.random.SeedSequence(seed).spawn(2)
    history = live_through(room, process, round(market.price / contract.tick), np.random.default_rng(bars_seed))
    decimals = len(f"{contract.tick:.10f}".rstrip("0").split(".")[1])
    prices = np.round(history.bars[:, :4] * contract.tick, decimals)
    columns = {name: np.ascontiguousarray(prices[:, i]) for i, name in enumerate(("open", "high", "low", "close"))}
    bars = pl.DataFrame({"datetime": as_datetime(history.minute), **columns, "volume": history.bars[:, 4].astype(np.int64)})
    barriers = Barriers(float(k_up), float(k_down), tuple(sorted(set(horizons))), paths)
    truth = truth_frame(history, room, process, truth_seed, barriers, progress)
    asked = {
        "symbol": symbol,
        "days": days,
        "seed": seed,
        "edge": edge,
        "start": start.isoformat() if start else None,
        **barriers._asdict(),
    }
    return Simulated(bars, truth, asked | {"tick": contract.tick, "signal_bars": SIGNAL_BARS, "base_timeframe": f"{BAR}m"})


def signal(closes: np.ndarray, tick: float) -> np.ndarray:
    """(m,) int8 direction of the next base bar's mean return, from the closes of the base bars: the planted edge.

    -1 where the close is above the mean of the last 50 closes (itself included), +1 elsewhere, 0 for the first 49 bars.
    Prices are counted in ticks, so that the comparison is exact.
    """
    ticks = np.rint(np.asarray(closes, np.float64) / tick)
    if len(ticks) < SIGNAL_BARS:
        return np.zeros(len(ticks), np.int8)
    total = np.cumsum(np.concatenate(([0.0], ticks)))  # whole numbers, far below 2**53: no rounding
    sums = total[SIGNAL_BARS:] - total[:-SIGNAL_BARS]
    leaning = np.where(SIGNAL_BARS * ticks[SIGNAL_BARS - 1 :] > sums, -1, 1)
    return np.concatenate((np.zeros(SIGNAL_BARS - 1, np.int8), leaning.astype(np.int8)))


def live_through(room: Slots, process: Process, price: float, rng: np.random.Generator) -> History:
    """Draw the whole history, a base bar at a time."""
    n, m = room.days * BAR, room.days
    minute, bars = np.empty(n, np.int64), np.empty((n, 5))
    close, slow, fast = (np.empty(m) for _ in range(3))
    known = _live(process, rng, price, room.start, room.volatility, room.holes, room.lots, room.gap, minute, bars, close, slow, fast)
    return History(minute[:known].copy(), bars[:known].copy(), close, slow, fast)


@njit
def next_volatility(process, rng, slow, fast):  # type: ignore[no-untyped-def]
    """The log volatility one base bar on: two AR(1), days and an hour long."""
    slow = process.slow_decay * slow + process.slow_shock * rng.standard_normal()
    return slow, process.fast_decay * fast + process.fast_shock * rng.standard_normal()


@njit
def clustering(process, slow, fast):  # type: ignore[no-untyped-def]
    """What volatility is multiplied by; its mean square is one."""
    return np.exp(slow + fast - process.slow_spread**2 - process.fast_spread**2)


@njit
def lean(price, total, known):  # type: ignore[no-untyped-def]
    """The signal: `total` is the sum of the last closes, the price included; 0 until there are enough."""
    return 0.0 if known < SIGNAL_BARS else -1.0 if SIGNAL_BARS * price > total else 1.0


@njit
def draw_bar(process, rng, price, mean, deviation, holes, traded, opens, closes):  # type: ignore[no-untyped-def]
    """One base bar of mean and standard deviation in ticks; (how many minutes trade, the standard deviation of one in ticks).

    The whole of the bar's variance falls on the minutes that trade: `traded` are their places, `opens` and `closes` their prices.
    `holes`: chance that some minutes are without a trade, then each with chance one half, but never all.
    """
    event, n = rng.random(), 0
    for k in range(BAR):
        if event >= holes or rng.random() < 0.5:
            traded[n] = k
            n += 1
    if n == 0:
        traded[0], n = int(rng.random() * BAR), 1
    jumps = process.jump_chance * process.jump_size**2
    scale = deviation * np.exp(process.bar_spread * rng.standard_normal() - process.bar_spread**2) * np.sqrt((1.0 - jumps) / n)
    jump_at = int(rng.random() * n) if event >= 1.0 - process.jump_chance else -1
    bounces = int(rng.random() * 4.0**BAR)  # two bits a minute: it opens a tick up, a tick down, or half the time where it closed
    for k in range(n):
        opens[k] = max(1.0, price + (1 - bounces % 4 if bounces % 4 < 3 else 0))
        bounces //= 4
        move = mean / n + scale * rng.standard_normal()
        if k == jump_at:
            move += process.jump_size * deviation * rng.standard_normal()
        price = max(1.0, np.rint(price + move))
        closes[k] = price
    return n, scale


@njit
def furthest(rng, opened, closed, deviation, side):  # type: ignore[no-untyped-def]
    """A minute's high (side 1) or low (side -1): the extreme of a Brownian bridge, on the tick grid."""
    reach = np.sqrt((closed - opened) ** 2 - 2.0 * deviation**2 * np.log(1.0 - rng.random()))
    extreme = np.rint(0.5 * (opened + closed + side * reach))
    return max(extreme, opened, closed) if side > 0 else max(1.0, min(extreme, opened, closed))


@njit
def _live(process, rng, price, start, volatility, holes, lots, gap, minute, bars, close, slow_at, fast_at):  # type: ignore[no-untyped-def]
    slow, fast = process.slow_spread * rng.standard_normal(), process.fast_spread * rng.standard_normal()
    traded, opens, closes = np.empty(BAR, np.int64), np.empty(BAR), np.empty(BAR)
    total, known = 0.0, 0
    for j in range(len(close)):
        factor = clustering(process, slow, fast)
        leaning = lean(price, total, j)
        if gap[j] > 0.0:
            price = max(1.0, np.rint(price * (1.0 + gap[j] * np.exp(slow) * rng.standard_normal())))
        deviation = volatility[j] * factor * price
        mean = process.edge * leaning * deviation
        n, scale = draw_bar(process, rng, price, mean, deviation, holes[j], traded, opens, closes)
        for k in range(n):
            high, low = furthest(rng, opens[k], closes[k], scale, 1.0), furthest(rng, opens[k], closes[k], scale, -1.0)
            volume = lots[j] * factor * scale * np.sqrt(n) / deviation * np.exp(0.5 * rng.standard_normal() - 0.125)
            minute[known] = start[j] + traded[k]
            bars[known] = (opens[k], high, low, closes[k], max(1.0, np.rint(volume)))
            known += 1
        price = closes[n - 1]
        slow, fast = next_volatility(process, rng, slow, fast)
        close[j], slow_at[j], fast_at[j] = price, slow, fast
        total += price - (close[j - SIGNAL_BARS] if j >= SIGNAL_BARS else 0.0)
    return known
