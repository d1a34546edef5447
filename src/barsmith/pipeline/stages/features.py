"""The features of the base timeframe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_datetime
from barsmith.bars.sessions import load_sessions
from barsmith.config import FeatureSettings, SessionSettings
from barsmith.features.events import NONE, Events, with_events
from barsmith.features.learned import is_learned
from barsmith.features.plan import Plan, Reading
from barsmith.features.registry import Feature, catalogue
from barsmith.features.sets import chosen_from
from barsmith.instruments import Instrument
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.clean import CleanMinutes


@dataclass(frozen=True)
class FeatureColumns:
    """values: datetime and one column a feature, every base bar. first_settled: the row from which each has settled.

    catalogue: name, group, unit, source, warm-up, timeframes besides the base, and fingerprint of each, in the columns' order.
    """

    values: pl.DataFrame
    first_settled: dict[str, int]
    catalogue: list[dict[str, Any]]


@stage
def features(
    events: Events,
    clean: CleanMinutes,
    instrument: Instrument,
    hours: SessionSettings,
    base: str,
    timeframes: tuple[str, ...],
    settings: FeatureSettings,
    feature_files: tuple[Path, ...],
) -> FeatureColumns:
    """Every feature that reads the base timeframe alone and learns nothing."""
    chosen = of_stage("features", chosen_features(settings, feature_files, timeframes, base, events))
    plan = plan_of(chosen, instrument, hours, base)
    return columns_of(plan, plan.read(clean.minutes), chosen)


def chosen_features(
    settings: FeatureSettings, files: Sequence[Path], timeframes: Sequence[str], base: str, events: Events = NONE
) -> dict[str, Feature]:
    """The set that the settings choose among the catalogue, the user's files and the scheduled events, without what they drop.

    Raises what `catalogue`, `with_events` and `chosen_from` raise.
    """
    return chosen_from(with_events(catalogue(files, settings.params, timeframes, base), events), settings)


def of_stage(stage: str, chosen: Mapping[str, Feature]) -> dict[str, Feature]:
    """The features that this stage computes: `regime` what learns, `mtf` what reads another timeframe, `features` the others."""
    return {name: one for name, one in chosen.items() if stage_of(one) == stage}


def stage_of(one: Feature) -> str:
    if one.group == "regime" or is_learned(one.expr):
        return "regime"
    return "mtf" if one.timeframes else "features"


def plan_of(chosen: Mapping[str, Feature], instrument: Instrument, hours: SessionSettings, base: str) -> Plan:
    return Plan({name: one.expr for name, one in chosen.items()}, base=base, sessions=load_sessions(instrument.calendar, hours.hours))


def columns_of(plan: Plan, reading: Reading, chosen: Mapping[str, Feature]) -> FeatureColumns:
    """A reading as frame and records."""
    fingerprints = plan.fingerprints()
    columns = {name: np.ascontiguousarray(reading.matrix[:, i]) for i, name in enumerate(plan.names)}
    entries = [
        one.entry(plan.base) | {"timeframes": sorted(one.timeframes), "fingerprint": fingerprints[name]} for name, one in chosen.items()
    ]
    settled = {name: int(row) for name, row in zip(plan.names, np.minimum(reading.first_settled, len(reading.base)), strict=True)}
    return FeatureColumns(pl.DataFrame({"datetime": as_datetime(reading.base.start), **columns}), settled, entries)
