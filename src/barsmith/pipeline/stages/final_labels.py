"""Labels with their quality and the weight each row has in fitting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_minutes
from barsmith.config import LabelSettings
from barsmith.labels.outcomes import Labels
from barsmith.labels.weights import final_weights, label_columns, quality_columns
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.labeling import RawLabels
from barsmith.pipeline.stages.sessions import SessionBars


@dataclass(frozen=True)
class FinalLabels:
    """table: datetime, then label_h{H}, label_end_h{H}, return_h{H}, sample_weight_h{H}; null where the future is missing. Where not every bar
    was asked for a label, `is_event` says which were.

    quality: datetime, and of what the weights are made: mae_h{H}, mfe_h{H}, pain_to_gain_h{H}, quality_h{H}, bars_h{H}.
    barriers, counts: by horizon (as text).
    """

    table: pl.DataFrame
    quality: pl.DataFrame
    barriers: dict[str, dict[str, Any]]
    counts: dict[str, dict[str, int]]


@stage
def final_labels(sessions: SessionBars, labeling: RawLabels, calendar: Calendar, settings: LabelSettings) -> FinalLabels:
    """Quality, and sample weights by its rank among the train rows."""
    train = calendar.drawn().train
    return weighed(sessions.bars["datetime"], labeling.labels(), labeling.is_event, np.arange(train.start, train.stop), settings)


def weighed(
    datetime: pl.Series, labels: Mapping[int, Labels], is_event: pl.DataFrame, train_rows: np.ndarray, settings: LabelSettings
) -> FinalLabels:
    """The tables of these labels, whatever their barriers. datetime: the base bars' opens. train_rows: row numbers of the training slice."""
    opens, time = as_minutes(datetime), datetime.to_frame("datetime")
    weights = {h: final_weights(one, opens, train_rows, uniqueness=settings.uniqueness) for h, one in labels.items()}
    return FinalLabels(
        table=pl.concat([time, is_event, label_columns(labels, weights)], how="horizontal"),
        quality=pl.concat([time, quality_columns(labels, opens)], how="horizontal"),
        barriers={str(h): asdict(one.barriers) for h, one in labels.items()},
        counts={str(h): one.counts() for h, one in labels.items()},
    )
