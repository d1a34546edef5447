"""Labels with their quality and the weight each row has in fitting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from barsmith.config import SessionSettings
from barsmith.instruments import Instrument
from barsmith.labels.barriers import Labels, triple_barrier
from barsmith.labels.weights import label_columns, quality_scores, sample_weights
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.ga_optimize import Prices, TunedBarriers
from barsmith.pipeline.stages.labeling import RawLabels
from barsmith.pipeline.stages.sessions import SessionBars


@dataclass(frozen=True)
class FinalLabels:
    """table: datetime, then label_h{H}, label_end_h{H}, return_h{H}, sample_weight_h{H}; null where the future is missing."""

    table: pl.DataFrame
    barriers: dict[str, dict[str, Any]]
    counts: dict[str, dict[str, int]]


@stage
def final_labels(
    clean: CleanMinutes,
    sessions: SessionBars,
    labeling: RawLabels,
    ga_optimize: TunedBarriers,
    calendar: Calendar,
    instrument: Instrument,
    hours: SessionSettings,
    base: str,
) -> FinalLabels:
    """Labels with the tuned barriers, and sample weights by the rank of each label's quality among the train rows."""
    labels = relabelled(clean, labeling, ga_optimize.barriers, Prices.of(clean.minutes, instrument, hours, base))
    train = calendar.drawn().train
    rows = np.arange(train.start, train.stop)
    weights = {h: sample_weights(quality_scores(one), one.has_label, rows) for h, one in labels.items()}
    table = sessions.bars.select("datetime").hstack(label_columns(labels, weights))
    return FinalLabels(table, ga_optimize.barriers, {str(h): one.counts() for h, one in labels.items()})


def relabelled(clean: CleanMinutes, labeling: RawLabels, barriers: dict[str, dict[str, Any]], prices: Prices) -> dict[int, Labels]:
    """The labels of each horizon; those whose barriers are the given ones are not made again."""
    labels = labeling.labels()
    for h, one in barriers.items():
        if one != labeling.barriers[h]:
            labels |= triple_barrier(clean.minutes, prices.bars, prices.atr, horizons=[int(h)], **one)
    return labels
