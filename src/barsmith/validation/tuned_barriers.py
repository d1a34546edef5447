"""Tuned barriers beside the given ones and a fixed 3/3, on rows that the search did not see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from barsmith.labels.market import Market
from barsmith.labels.outcomes import Barriers
from barsmith.labels.probe import RidgeProbe
from barsmith.metrics.trading import annual_sharpe, mean_interval


@dataclass(frozen=True)
class OutOfSample:
    """What the probe, fitted on train with these barriers, earns on validation. sharpe: annual, after costs. Money is in price units of one contract.

    gross_per_trade: before costs. over_fixed: the 95 % interval of the mean profit of a session less that of the fixed 3/3, None for 3/3 itself.
    """

    horizon: int
    barriers: str
    k_up: float
    k_down: float
    max_bars: int
    trades: int
    gross_per_trade: float | None
    sharpe: float
    over_fixed: list[float] | None


def out_of_sample(
    train: Market, val: Market, X: np.ndarray, choices: Mapping[int, Mapping[str, Barriers]], seed: np.random.SeedSequence
) -> list[OutOfSample]:
    """For each horizon its choices of barriers, among them `fixed 3/3`.

    X: (n + m, p) float32, the features of train's n rows and then of validation's m, scaled by what train says.
    """
    from threadpoolctl import threadpool_limits

    flat = [(h, name, barriers) for h, named in choices.items() for name, barriers in named.items()]
    targets, _ = train.targets([barriers for *_, barriers in flat])
    _, outcomes = val.targets([barriers for *_, barriers in flat])
    n = len(targets)
    with threadpool_limits(1):
        probe = RidgeProbe.over(X, gap=0, tests=[(n, len(X))])
        wanted = probe.out_of_fold(np.concatenate((targets, np.zeros((len(X) - n, len(flat)), np.float32))))[n:]
    profits = {}
    for i, (h, name, _) in enumerate(flat):
        profits[h, name] = val.profits(outcomes[i], np.ascontiguousarray(wanted[:, i]))
    rows = []
    for h, name, barriers in flat:
        profit, trades = profits[h, name]
        gross = (float(profit.sum()) + trades * val.cost) / trades if trades else None
        over = None if name == "fixed 3/3" else mean_interval(profit - profits[h, "fixed 3/3"][0], seed=seed)
        rows.append(OutOfSample(h, name, barriers.k_up, barriers.k_down, barriers.max_bars, trades, gross, annual_sharpe(profit), over))
    return rows
