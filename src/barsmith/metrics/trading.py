"""What signals earn: one position at a time, after costs, by session."""

from __future__ import annotations

import numpy as np

from barsmith.compiled import njit

SESSIONS_A_YEAR = 252


@njit
def session_profits(side, log_return, entry, exit_bar, bar, session, cost, profit):  # type: ignore[no-untyped-def]
    """Fill `profit`, (s,) price units of one contract earned in each session after costs; returns the number of trades.

    For each of n decisions in the order of time: side: what is wanted, its sign counts, 0 is no trade. log_return: from entry to exit.
    entry: price. bar, exit_bar: base bars of the decision and of the exit; while a position is open no other is taken. session: 0 .. s-1 of the decision.
    cost: of a round trip, price units.
    """
    profit[:] = 0.0
    trades, free_from = 0, -1
    for r in range(len(side)):
        if bar[r] < free_from or side[r] == 0.0:
            continue
        trades += 1
        free_from = exit_bar[r]
        profit[session[r]] += np.sign(side[r]) * entry[r] * (np.exp(log_return[r]) - 1.0) - cost
    return trades


def annual_sharpe(profit: np.ndarray) -> float:
    """Mean over standard deviation of the sessions' profits, times the root of 252; 0 where they do not vary."""
    spread = float(np.std(profit, ddof=1)) if len(profit) > 1 else 0.0
    return float(np.mean(profit)) / spread * SESSIONS_A_YEAR**0.5 if spread > 0.0 else 0.0


def mean_interval(profit: np.ndarray, *, seed: int | np.random.SeedSequence, draws: int = 1000, level: float = 0.95) -> list[float]:
    """[low, high] of the sessions' mean profit, whole sessions drawn with replacement. Source: Efron & Tibshirani (1993)."""
    rng = np.random.default_rng(seed)
    means = profit[rng.integers(0, len(profit), (draws, len(profit)))].mean(axis=1)
    return np.percentile(means, (50.0 * (1.0 - level), 50.0 * (1.0 + level))).tolist()
