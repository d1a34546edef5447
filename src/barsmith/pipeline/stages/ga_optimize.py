"""Barriers chosen on the training slice, every trial kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from barsmith.config import LabelSettings, SessionSettings, Unit
from barsmith.datasets.scaling import RobustScaler
from barsmith.instruments import Instrument
from barsmith.labels.market import Market, Prices
from barsmith.labels.outcomes import Barriers
from barsmith.labels.probe import RidgeProbe
from barsmith.labels.tuning import Tuned, longest_patience, tune
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.labeling import RawLabels
from barsmith.pipeline.stages.mtf import FeatureTable

LEAST_ROWS = 1000
"""Settled training rows below which nothing is searched."""
MOST_ROWS = 20_000
"""Decisions that a trial looks at; of more, every second, third ... is taken."""


@dataclass(frozen=True)
class TunedBarriers:
    """barriers: by horizon (as text) k_up, k_down and max_bars, as given where nothing was searched; why_not: the reason, else empty.

    trials: horizon, number, k_up, k_down, max_bars, score, sharpe, imbalance, trades. search: by horizon the best, the given and the 3/3
    trial, the best scores on features shifted in time, and the rank of the best among them.
    """

    barriers: dict[str, dict[str, Any]]
    why_not: str
    trials: pl.DataFrame
    search: dict[str, dict[str, Any]]

    @property
    def rows(self) -> int:
        return len(self.trials)


@stage
def ga_optimize(
    clean: CleanMinutes,
    calendar: Calendar,
    mtf: FeatureTable,
    labeling: RawLabels,
    instrument: Instrument,
    barriers: tuple[float, float, Unit],
    hours: SessionSettings,
    base: str,
    random_seed: int,
    settings: LabelSettings,
) -> TunedBarriers:
    """k_up, k_down and max_bars of each horizon by what a ridge probe earns with them, on the training slice alone."""
    prices = Prices.of(clean.minutes, instrument, hours, base, settings)
    given = labeling.given()
    longest = longest_patience(given.values(), calendar.split["purge_bars"])
    rows = prices.decisions(calendar.drawn().train, longest, mtf.is_settled, labeling.is_event)
    why_not = why_not_searched(settings, barriers[2])
    if not why_not and len(rows) < LEAST_ROWS:
        why_not = f"{len(rows)} settled training rows are fewer than {LEAST_ROWS}"
    if why_not:
        return TunedBarriers(labeling.barriers, why_not, trial_table({}), {})
    market, probe = ground(prices, mtf, rows, given, longest)
    found = tune(
        market,
        probe,
        given,
        trials=settings.trials,
        search=settings.search,
        seed=np.random.SeedSequence([random_seed, *b"barriers"]),
        longest=longest,
    )
    search = {
        str(h): {
            "best": asdict(one.best),
            "given": asdict(one.given),
            "fixed": asdict(one.fixed),
            "shifted": list(one.shifted),
            "rank": one.rank,
        }
        for h, one in found.items()
    }
    return TunedBarriers({str(h): asdict(one.best.barriers) for h, one in found.items()}, "", trial_table(found), search)


def ground(prices: Prices, table: FeatureTable, rows: np.ndarray, given: Mapping[int, Barriers], longest: int) -> tuple[Market, RidgeProbe]:
    """What every trial is scored on: the outcomes of these decisions, thinned out, and the probe over their features."""
    step = -(-len(rows) // MOST_ROWS)
    features = table.features[pl.Series(rows[::step])].select(table.names).to_numpy()
    X = RobustScaler.fit(features, table.names).apply(features).astype(np.float32)
    return prices.market(rows[::step], list(given.values()), longest), RidgeProbe.over(X, gap=-(-longest // step))


def why_not_searched(settings: LabelSettings, unit: Unit) -> str:
    """Why these labels have no barriers to search, empty where they have."""
    if not settings.tune:
        return "labels.tune is off"
    if settings.method == "trend_scanning":
        return "trend scanning has no barriers"
    if settings.method != "triple_barrier" or settings.primary_signal is not None:
        return "only triple barriers without a primary signal of yours are searched"
    return "" if unit == "atr" else f"distances in {unit} are the user's own; only those in ATR are searched"


def trial_table(found: Mapping[int, Tuned]) -> pl.DataFrame:
    """Every trial of every horizon in the order tried."""
    rows = [
        {"horizon": h, "number": i, **asdict(trial.barriers), "score": trial.score, "sharpe": trial.sharpe,
         "imbalance": trial.imbalance, "trades": trial.trades} for h, one in found.items() for i, trial in enumerate(one.trials)
    ]  # fmt: skip
    whole, real = pl.Int64, pl.Float64
    schema = {"horizon": whole, "number": whole, "k_up": real, "k_down": real, "max_bars": whole, "score": real, "sharpe": real,
              "imbalance": real, "trades": whole}  # fmt: skip
    return pl.DataFrame(rows, schema=schema)
