"""Labels with their quality and the weight each row has in fitting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_minutes
from barsmith.config import LabelSettings, SessionSettings, Unit
from barsmith.instruments import Instrument
from barsmith.labels.outcomes import Barriers, Labels
from barsmith.labels.primary_signal import PrimarySignal
from barsmith.labels.weights import final_weights, label_columns, quality_columns
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.ga_optimize import TunedBarriers
from barsmith.pipeline.stages.labeling import RawLabels, labelled
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
def final_labels(
    clean: CleanMinutes,
    sessions: SessionBars,
    labeling: RawLabels,
    ga_optimize: TunedBarriers,
    calendar: Calendar,
    instrument: Instrument,
    barriers: tuple[float, float, Unit],
    primary_signal: PrimarySignal,
    hours: SessionSettings,
    base: str,
    settings: LabelSettings,
) -> FinalLabels:
    """Labels with the tuned barriers, their quality, and sample weights by its rank among the train rows."""
    train = calendar.drawn().train
    labels = labeling.labels()
    other = {int(h): Barriers(**one) for h, one in ga_optimize.barriers.items() if one != labeling.barriers[h]}
    if other:
        labels |= labelled(clean, instrument, hours, base, settings, primary_signal, other, barriers[2])[1]
    return weighed(sessions.bars["datetime"], labels, labeling.is_event, np.arange(train.start, train.stop), settings)


def weighed(
    datetime: pl.Series, labels: Mapping[int, Labels], is_event: np.ndarray | None, train_rows: np.ndarray, settings: LabelSettings
) -> FinalLabels:
    """The tables of these labels, whatever their barriers.

    datetime: the base bars' opens. is_event: (m,) bool, None where every bar was asked. train_rows: row numbers of the training slice.
    """
    opens, time = as_minutes(datetime), datetime.to_frame("datetime")
    asked = time if is_event is None else time.with_columns(is_event=pl.Series(is_event))
    weights = {h: final_weights(one, opens, train_rows, uniqueness=settings.uniqueness) for h, one in labels.items()}
    return FinalLabels(
        table=pl.concat([asked, label_columns(labels, weights)], how="horizontal"),
        quality=pl.concat([time, quality_columns(labels, opens)], how="horizontal"),
        barriers={str(h): asdict(one.barriers) for h, one in labels.items()},
        counts={str(h): one.counts() for h, one in labels.items()},
    )
