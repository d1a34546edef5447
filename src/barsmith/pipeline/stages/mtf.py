"""The ladder, the features that read it, and the whole feature table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.ladder import ladder
from barsmith.bars.sessions import load_sessions
from barsmith.config import FeatureSettings, SessionSettings
from barsmith.datasets.roles import roles_of
from barsmith.features.events import Events
from barsmith.instruments import Instrument
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.features import FeatureColumns, chosen_features, columns_of, of_stage, plan_of
from barsmith.pipeline.stages.regime import RegimeColumns
from barsmith.pipeline.stages.sessions import SessionBars, bar_table


@dataclass(frozen=True)
class FeatureTable:
    """rungs: finished bars of the other timeframes, in the contract's own prices.

    features: unscaled, a row for every base bar: datetime, decision, the session columns, is_settled (all features settled and
    finite), then every feature. names: the features in order. catalogue: their entries. first_settled: by name.
    """

    rungs: dict[str, pl.DataFrame]
    features: pl.DataFrame
    names: list[str]
    catalogue: list[dict[str, Any]]
    first_settled: dict[str, int]
    roles: dict[str, str]

    @property
    def rows(self) -> int:
        return len(self.features)

    @property
    def is_settled(self) -> np.ndarray:
        """(m,) bool."""
        return self.features["is_settled"].to_numpy()


@stage
def mtf(
    events: Events,
    clean: CleanMinutes,
    sessions: SessionBars,
    features: FeatureColumns,
    regime: RegimeColumns,
    instrument: Instrument,
    hours: SessionSettings,
    base: str,
    timeframes: tuple[str, ...],
    settings: FeatureSettings,
    feature_files: tuple[Path, ...],
) -> FeatureTable:
    """Features of other timeframes, each visible from its bar's close, beside those of the base timeframe and the regimes."""
    table = load_sessions(instrument.calendar, hours.hours)
    others = [timeframe for timeframe in timeframes if timeframe not in ("1m", base)]
    rungs = {timeframe: bar_table(rung, table) for timeframe, rung in ladder(clean.minutes, table, others, adjusted=False).items()}
    chosen = of_stage("mtf", chosen_features(settings, feature_files, timeframes, base, events))
    plan = plan_of(chosen, instrument, hours, base)
    parts = [features, regime, columns_of(plan, plan.read(clean.minutes), chosen)]
    values = pl.concat([features.values.select("datetime"), *(part.values.drop("datetime") for part in parts)], how="horizontal")
    first_settled = {name: row for part in parts for name, row in part.first_settled.items()}
    names = values.columns[1:]
    meta = sessions.bars.select("datetime", "decision", "session_id", "minutes_since_open", "last_direction")
    whole = meta.with_columns(is_settled=settled_rows(values, first_settled)).hstack(values.drop("datetime"))
    entries = [entry for part in parts for entry in part.catalogue]
    return FeatureTable(rungs, whole, names, entries, first_settled, dict(roles_of(whole.columns, names)))


def settled_rows(values: pl.DataFrame, first_settled: dict[str, int]) -> pl.Series:
    """Rows in which every feature has settled and is finite."""
    settled = np.arange(len(values)) >= max(first_settled.values(), default=0)
    for name in first_settled:
        settled &= np.isfinite(values[name].to_numpy())
    return pl.Series(settled)
