"""The features of the base timeframe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_datetime
from barsmith.bars.sessions import load_sessions
from barsmith.config import FeatureSettings, SessionSettings
from barsmith.errors import UsageError, did_you_mean
from barsmith.features.plan import Plan, Reading
from barsmith.features.registry import Feature, catalogue
from barsmith.instruments import Instrument
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.clean import CleanMinutes


@dataclass(frozen=True)
class FeatureColumns:
    """values: datetime and one column a feature, every base bar. first_settled: the row from which each has settled.

    catalogue: name, group, unit, source, warm-up and fingerprint of each, in the columns' order.
    """

    values: pl.DataFrame
    first_settled: dict[str, int]
    catalogue: list[dict[str, Any]]


@stage
def features(
    clean: CleanMinutes,
    instrument: Instrument,
    hours: SessionSettings,
    base_timeframe: str,
    timeframes: tuple[str, ...],
    settings: FeatureSettings,
    feature_files: tuple[Path, ...],
) -> FeatureColumns:
    """Every feature that reads the base timeframe alone."""
    chosen = {name: one for name, one in chosen_features(settings, feature_files, timeframes).items() if not one.timeframes}
    plan = plan_of(chosen, instrument, hours, base_timeframe)
    return columns_of(plan, plan.read(clean.minutes), chosen)


def chosen_features(settings: FeatureSettings, files: Sequence[Path], timeframes: Sequence[str]) -> dict[str, Feature]:
    """The catalogue and the user's files with the settings' periods, without what `drop` names (patterns as `rsi_*`)."""
    known = catalogue(files, settings.params, timeframes)
    for pattern in settings.drop:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UsageError(
                "config/unknown-name",
                expected="features.drop to name features",
                came=ascii(pattern),
                do=did_you_mean(pattern, known)
                if len(known) < 20
                else f"see `barsmith features list`; {did_you_mean(pattern, known)}"[:300],
                where="features.drop",
            )
    return {name: one for name, one in known.items() if not any(fnmatchcase(name, pattern) for pattern in settings.drop)}


def plan_of(chosen: Mapping[str, Feature], instrument: Instrument, hours: SessionSettings, base: str) -> Plan:
    return Plan({name: one.expr for name, one in chosen.items()}, base=base, sessions=load_sessions(instrument.calendar, hours.hours))


def columns_of(plan: Plan, reading: Reading, chosen: Mapping[str, Feature]) -> FeatureColumns:
    """A reading as frame and records."""
    fingerprints = plan.fingerprints()
    columns = {name: np.ascontiguousarray(reading.matrix[:, i]) for i, name in enumerate(plan.names)}
    entries = [_entry(one, plan.base, fingerprints[name]) for name, one in chosen.items()]
    settled = {name: int(row) for name, row in zip(plan.names, np.minimum(reading.first_settled, len(reading.base)), strict=True)}
    return FeatureColumns(pl.DataFrame({"datetime": as_datetime(reading.base.start), **columns}), settled, entries)


def _entry(one: Feature, base: str, fingerprint: str) -> dict[str, Any]:
    bars, timeframe = one.warmup(base)
    return {
        "name": one.name,
        "group": one.group,
        "unit": one.unit,
        "source": one.source,
        "warmup_bars": bars,
        "timeframe": timeframe,
        "fingerprint": fingerprint,
    }
