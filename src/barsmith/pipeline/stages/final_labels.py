"""Labels with their quality and the weight each row has in fitting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from barsmith.labels.weights import label_columns, quality_scores, sample_weights
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.labeling import RawLabels
from barsmith.pipeline.stages.sessions import SessionBars


@dataclass(frozen=True)
class FinalLabels:
    """table: datetime, then label_h{H}, label_end_h{H}, return_h{H}, sample_weight_h{H}; null where the future is missing."""

    table: pl.DataFrame
    barriers: dict[str, dict[str, Any]]
    counts: dict[str, dict[str, int]]


@stage
def final_labels(sessions: SessionBars, labeling: RawLabels, calendar: Calendar) -> FinalLabels:
    """Sample weights by the rank of each label's quality among the train rows."""
    labels = labeling.labels()
    train = calendar.drawn().train
    rows = np.arange(train.start, train.stop)
    weights = {h: sample_weights(quality_scores(one), one.has_label, rows) for h, one in labels.items()}
    table = sessions.bars.select("datetime").hstack(label_columns(labels, weights))
    return FinalLabels(table, labeling.barriers, labeling.counts)
