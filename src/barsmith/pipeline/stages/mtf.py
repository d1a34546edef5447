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
from barsmith.instruments import Instrument
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.features import FeatureColumns, chosen_features, columns_of, plan_of
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


@stage
def mtf(
    clean: CleanMinutes,
    sessions: SessionBars,
    features: FeatureColumns,
    instrument: Instrument,
    hours: SessionSettings,
    base_timeframe: str,
    timeframes: tuple[str, ...],
    settings: FeatureSettings,
    feature_files: tuple[Path, ...],
) -> FeatureTable:
    """Features of other timeframes, each visible from its bar's close, beside those of the base timeframe."""
    table = load_sessions(instrument.calendar, hours.hours)
    others = [timeframe for timeframe in timeframes if timeframe not in ("1m", base_timeframe)]
    rungs = {timeframe: bar_table(rung, table) for timeframe, rung in ladder(clean.minutes, table, others, adjusted=False).items()}
    chosen = {name: one for name, one in chosen_features(settings, feature_files, timeframes).items() if one.timeframes}
    plan = plan_of(chosen, instrument, hours, base_timeframe)
    own = columns_of(plan, plan.read(clean.minutes), chosen) if chosen else FeatureColumns(features.values.select("datetime"), {}, [])
    values = pl.concat([features.values, own.values.drop("datetime")], how="horizontal")
    first_settled = {**features.first_settled, **own.first_settled}
    names = values.columns[1:]
    meta = sessions.bars.select("datetime", "decision", "session_id", "minutes_since_open", "last_direction")
    whole = meta.with_columns(is_settled=settled_rows(values, first_settled)).hstack(values.drop("datetime"))
    return FeatureTable(rungs, whole, names, [*features.catalogue, *own.catalogue], first_settled, dict(roles_of(whole.columns, names)))


def settled_rows(values: pl.DataFrame, first_settled: dict[str, int]) -> pl.Series:
    """Rows in which every feature has settled and is finite."""
    settled = np.arange(len(values)) >= max(first_settled.values(), default=0)
    for name in first_settled:
        settled &= np.isfinite(values[name].to_numpy())
    return pl.Series(settled)
