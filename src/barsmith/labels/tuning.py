"""Barriers chosen by what a simple probe earns with them on the training slice, and how much of that is luck.

The objective is the after-cost Sharpe ratio of an out-of-fold ridge probe that learns the labels these barriers make, less a penalty for
classes out of balance: a Sharpe ratio of the labels themselves would be an oracle's. All horizons are searched side by side, so that one
pass over the features serves them all. The same candidates are scored once more on features shifted in time, which cannot know anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from barsmith.labels.market import TENTHS, Market
from barsmith.labels.outcomes import Barriers
from barsmith.labels.probe import RidgeProbe
from barsmith.metrics.trading import annual_sharpe

if TYPE_CHECKING:
    from barsmith.labels.first_passage import Outcomes

SHIFTS = 9
"""Searches on shifted features that the real one is ranked among."""

Search = Literal["tpe", "nsga2"]


@dataclass(frozen=True)
class Trial:
    """What the probe earned with these barriers, out of fold. sharpe: annual, after costs. imbalance: 0 even classes .. 1 a single one."""

    barriers: Barriers
    score: float
    sharpe: float
    imbalance: float
    trades: int


@dataclass(frozen=True)
class Tuned:
    """For one horizon. best: the chosen trial. given, fixed: the default barriers' trial and that of 3/3. trials: in the order tried.

    shifted: the best score of each search on shifted features.
    """

    best: Trial
    given: Trial
    fixed: Trial
    trials: tuple[Trial, ...]
    shifted: tuple[float, ...]

    @property
    def rank(self) -> int:
        """1 where no shifted search scored as high."""
        return 1 + sum(score >= self.best.score for score in self.shifted)


def longest_patience(given: Iterable[Barriers], purge_bars: int) -> int:
    """The longest patience that may be tried: twice the given ones', but no more than is purged."""
    most = max(one.max_bars for one in given)
    return max(most, min(2 * most, purge_bars))


def scored(market: Market, barriers: Barriers, outcome: Outcomes, wanted: np.ndarray) -> Trial:
    """wanted: (n,) the probe's forecasts."""
    profit, trades = market.profits(outcome, wanted)
    sharpe, uneven = annual_sharpe(profit), imbalance(outcome.label)
    return Trial(barriers, sharpe - uneven, sharpe, uneven, trades)


def imbalance(label: np.ndarray) -> float:
    """1 less the entropy of the class shares, in units of the highest possible: 0 for even thirds, 1 for a single class."""
    shares = np.bincount(label + 1, minlength=3) / len(label)
    shares = shares[shares > 0.0]
    return max(0.0, 1.0 + float(np.sum(shares * np.log(shares))) / float(np.log(3.0)))


def tune(
    market: Market,
    probe: RidgeProbe,
    given: Mapping[int, Barriers],
    *,
    trials: int,
    search: Search,
    seed: np.random.SeedSequence,
    longest: int,
) -> dict[int, Tuned]:
    """The best of `trials` barriers for each horizon, by an Optuna search that is repeatable from the seed.

    given: each horizon's barriers as they would be without tuning; max_bars is searched from half of theirs to twice, up to `longest`.
    probe: over the features of the market's rows.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # a library that sums in thread order gives other bits on other machines
        studies = {h: study(search, child, trials) for (h, _), child in zip(given.items(), seed.spawn(len(given)), strict=True)}
        tried: dict[int, list[Trial]] = {h: [] for h in given}
        for _ in range(trials):
            asked = {h: one.ask() for h, one in studies.items()}
            wanted = {h: suggested(asked[h], given[h], longest) for h in given}
            for h, trial in zip(wanted, scores(market, probe, list(wanted.values())), strict=True):
                tried[h].append(trial)
                studies[h].tell(asked[h], trial.score)
        plain = {h: scores(market, probe, [one, Barriers(3.0, 3.0, one.max_bars)]) for h, one in given.items()}
        shifted = shifted_bests(market, probe, {h: list(dict.fromkeys([given[h], *(one.barriers for one in tried[h])])) for h in given})
    out = {}
    for h in given:
        best = max([plain[h][0], *tried[h]], key=lambda one: one.score)
        out[h] = Tuned(best, plain[h][0], plain[h][1], tuple(tried[h]), shifted[h])
    return out


def study(search: Search, seed: np.random.SeedSequence, trials: int) -> Any:
    """An in-memory Optuna study that maximises."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    number = int(seed.generate_state(1)[0])
    samplers = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=number),
        "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=number, population_size=max(4, min(20, trials // 5))),
    }
    return optuna.create_study(direction="maximize", sampler=samplers[search]())


def suggested(trial: Any, given: Barriers, longest: int) -> Barriers:
    """The barriers that an Optuna trial asks for."""
    up, down = (trial.suggest_int(name, TENTHS[0], TENTHS[-1]) / 10 for name in ("k_up_tenths", "k_down_tenths"))
    return Barriers(up, down, trial.suggest_int("max_bars", max(1, given.max_bars // 2), min(2 * given.max_bars, longest)))


def scores(market: Market, probe: RidgeProbe, barriers: Sequence[Barriers]) -> list[Trial]:
    """Each candidate's trial."""
    targets, outcomes = market.targets(barriers)
    forecasts = probe.out_of_fold(targets)
    return [scored(market, one, outcomes[i], np.ascontiguousarray(forecasts[:, i])) for i, one in enumerate(barriers)]


def shifted_bests(market: Market, probe: RidgeProbe, candidates: Mapping[int, Sequence[Barriers]]) -> dict[int, tuple[float, ...]]:
    """For each horizon the best score of its candidates under each of SHIFTS shifts of the features against the labels.

    The shifts are spread evenly over the slice and go round its end, so that what a feature says is always of another time.
    """
    flat = [(h, one) for h, each in candidates.items() for one in each]
    targets, outcomes = market.targets([one for _, one in flat])
    bests: dict[int, list[float]] = {h: [] for h in candidates}
    for number in range(1, SHIFTS + 1):
        shift = number * len(targets) // (SHIFTS + 1)
        forecasts = np.ascontiguousarray(np.roll(probe.out_of_fold(np.roll(targets, shift, axis=0)), -shift, axis=0).T)
        reached = [scored(market, one, outcomes[i], forecasts[i]).score for i, (_, one) in enumerate(flat)]
        for h in candidates:
            bests[h].append(max(score for (of, _), score in zip(flat, reached, strict=True) if of == h))
    return {h: tuple(values) for h, values in bests.items()}
