"""The truth about a simulated market: how likely each label was, for one who knows everything that was known at the bar's close.

From every base bar many futures are drawn by the same functions that drew the market, and walked to the triple barrier of the design.
What no feature can see (the log volatility) is known here, so a model that does better than these probabilities has been lucky.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_datetime
from barsmith.bars.simulate import Barriers, History, clustering, draw_bar, furthest, lean, next_volatility, signal
from barsmith.bars.simulated_market import BAR, SIGNAL_BARS, Process, Slots
from barsmith.compiled import njit
from barsmith.parallel import cores

ATR_BARS = 14
CHUNK = 512
"""Rows that share one stream of random numbers: the result does not depend on the number of threads."""
SIDES = ("short", "neutral", "long")


def truth_frame(
    history: History,
    room: Slots,
    process: Process,
    seed: np.random.SeedSequence,
    barriers: Barriers,
    progress: Callable[[float], None],
) -> pl.DataFrame:
    """One row for each base bar: datetime (its open), signal (of its close), volatility (of the next bar's return, as a fraction),
    and for each horizon H prob_short_h{H}, prob_neutral_h{H}, prob_long_h{H} with their standard errors se_short_h{H} and so on.

    Null for the first 14 bars, which have no ATR. A standard error is that of a share of `paths` draws, one of each kind added.
    """
    m, (k_up, k_down, horizons, paths) = len(history.close), barriers
    atr = average_range(history, room)
    factor = np.exp(history.slow + history.fast - process.slow_spread**2 - process.fast_spread**2)
    frame: dict[str, pl.Series | np.ndarray] = {
        "datetime": as_datetime(room.start[:m]),
        "signal": signal(history.close, 1.0),
        "volatility": room.volatility[1 : m + 1] * factor,
    }
    if paths:
        first, counts = ATR_BARS, np.zeros((m, len(horizons), 2), np.int64)
        rows = [np.arange(i, min(i + CHUNK, m)) for i in range(first, m, CHUNK)]
        streams = [np.random.default_rng(child) for child in seed.spawn(len(rows))]

        def explore(part: np.ndarray, rng: np.random.Generator) -> None:
            _explore(
                process, rng, part, history.close, history.slow, history.fast, room.volatility, room.holes, room.gap,
                atr, k_up, k_down, np.asarray(horizons, np.int64), paths, counts,
            )  # fmt: skip

        with ThreadPoolExecutor(cores()) as pool:
            for done, _ in enumerate(pool.map(explore, rows, streams), start=1):
                progress(done / len(rows))
        for h, horizon in enumerate(horizons):
            short, long = counts[:, h, 0], counts[:, h, 1]
            for side, hits in zip(SIDES, (short, paths - short - long, long), strict=True):
                likely = (hits + 1) / (paths + 2)
                frame[f"prob_{side}_h{horizon}"] = np.where(np.arange(m) < first, np.nan, hits / paths)
                frame[f"se_{side}_h{horizon}"] = np.where(np.arange(m) < first, np.nan, np.sqrt(likely * (1.0 - likely) / paths))
    return pl.DataFrame(frame).fill_nan(None)


def average_range(history: History, room: Slots) -> np.ndarray:
    """(m,) ATR of the base bars in ticks, NaN for the first."""
    import talib

    heads = np.searchsorted(history.minute, room.start[: len(history.close)])
    high, low = np.maximum.reduceat(history.bars[:, 1], heads), np.minimum.reduceat(history.bars[:, 2], heads)
    return talib.ATR(high, low, history.close, timeperiod=ATR_BARS) if len(heads) > ATR_BARS else np.full(len(heads), np.nan)


@njit(nogil=True)
def _explore(process, rng, rows, close, slow_at, fast_at, volatility, holes, gap, atr, k_up, k_down, horizons, paths, counts):  # type: ignore[no-untyped-def]
    """Adds to counts[row, horizon] how many futures touch the lower barrier first, and how many the upper one."""
    traded, opens, closes = np.empty(BAR, np.int64), np.empty(BAR), np.empty(BAR)
    longest = horizons[-1]
    later = np.empty(longest)
    for t in rows:
        before = close[max(0, t + 1 - SIGNAL_BARS) : t + 1].sum()
        for _ in range(paths):
            price, total, slow, fast = close[t], before, slow_at[t], fast_at[t]
            upper = lower = 0.0
            side = steps = 0
            while side == 0 and steps < longest:
                j = t + 1 + steps
                factor, leaning = clustering(process, slow, fast), lean(price, total, j)
                if gap[j] > 0.0:
                    price = max(1.0, np.rint(price * (1.0 + gap[j] * np.exp(slow) * rng.standard_normal())))
                deviation = volatility[j] * factor * price
                n, scale = draw_bar(process, rng, price, process.edge * leaning * deviation, deviation, holes[j], traded, opens, closes)
                if steps == 0:
                    upper, lower = opens[0] + k_up * atr[t], opens[0] - k_down * atr[t]
                touched = False
                for k in range(n):
                    up = in_reach(opens[k], closes[k], scale, upper) and furthest(rng, opens[k], closes[k], scale, 1.0) >= upper
                    down = in_reach(-opens[k], -closes[k], scale, -lower) and furthest(rng, opens[k], closes[k], scale, -1.0) <= lower
                    if up or down:
                        touched, side = True, int(up) - int(down)
                        break
                if touched:
                    break
                price = closes[n - 1]
                later[steps] = price
                if j >= SIGNAL_BARS:
                    total -= close[j - SIGNAL_BARS] if j - SIGNAL_BARS <= t else later[j - SIGNAL_BARS - t - 1]
                total += price
                slow, fast = next_volatility(process, rng, slow, fast)
                steps += 1
            if side != 0:
                for h in range(len(horizons)):
                    if steps < horizons[h]:
                        counts[t, h, 0 if side < 0 else 1] += 1


@njit
def in_reach(opened, closed, deviation, barrier):  # type: ignore[no-untyped-def]
    """Is it worth drawing a minute's high? Not where the barrier is reached with a chance below exp(-30)."""
    ceiling = barrier - 0.5  # the extreme is rounded to the grid
    return max(opened, closed) >= ceiling or 2.0 * (ceiling - opened) * (ceiling - closed) < 30.0 * deviation**2
