"""Which state the market is in: features whose numbers are learned, on the training slice and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_minutes
from barsmith.bars.sessions import load_sessions
from barsmith.config import FeatureSettings, SessionSettings
from barsmith.features.events import Events
from barsmith.features.learned import learn, learned_features, stretches
from barsmith.instruments import Instrument
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.features import FeatureColumns, chosen_features, columns_of, of_stage, plan_of
from barsmith.pipeline.stages.sessions import SessionBars


@dataclass(frozen=True)
class RegimeColumns(FeatureColumns):
    """The columns of every learned feature and of the group `regime`. learned: by key what each node learned, from train rows alone."""

    learned: dict[str, dict[str, Any]]


@stage
def regime(
    events: Events,
    clean: CleanMinutes,
    sessions: SessionBars,
    calendar: Calendar,
    instrument: Instrument,
    hours: SessionSettings,
    base: str,
    timeframes: tuple[str, ...],
    random_seed: int,
    settings: FeatureSettings,
    feature_files: tuple[Path, ...],
) -> RegimeColumns:
    """Hidden Markov, volatility and trend regimes, fitted on train and filtered forward over every bar."""
    chosen = of_stage("regime", chosen_features(settings, feature_files, timeframes, base, events))
    learned = learn(
        {name: one.expr for name, one in chosen.items()},
        clean.minutes,
        base=base,
        sessions=load_sessions(instrument.calendar, hours.hours),
        slices=[training_time(sessions.bars, calendar.drawn().train)],
        seed=random_seed,
    )
    known = learned_features(chosen, learned, base)
    plan = plan_of(known, instrument, hours, base)
    made = columns_of(plan, plan.read(clean.minutes), known)
    return RegimeColumns(made.values, made.first_settled, made.catalogue, {key: each.as_dict() for key, each in learned.items()})


def training_time(bars: pl.DataFrame, train: range) -> tuple[int, int]:
    """From the first minute of the first train row to the moment at which the last one is decided."""
    return stretches(as_minutes(bars["datetime"]), as_minutes(bars["decision"]), np.array(train))[0]
