"""Raw bars in, checked bars out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from barsmith.bars.reading import Rules, read_raw
from barsmith.bars.sessions import load_sessions
from barsmith.config import IngestSettings, SessionSettings
from barsmith.instruments import Instrument
from barsmith.pipeline.stage import stage


@dataclass(frozen=True)
class RawData:
    """bars: checked, sorted, unique, UTC. rejects: rows left out on request, with their reason. quality: what was found."""

    bars: pl.DataFrame
    rejects: pl.DataFrame
    quality: dict[str, Any]


@stage
def ingest(raw_file: Path, instrument: Instrument, settings: IngestSettings, hours: SessionSettings) -> RawData:
    """The file of data/raw, read and checked; of several contracts side by side the one in front."""
    rules = Rules(
        instrument.symbol,
        timezone=settings.timezone,
        timestamps=settings.timestamps,
        epoch_unit=settings.epoch_unit,
        fixed_point=settings.fixed_point,
        on_bad_rows=settings.on_bad_rows,
        repair=settings.repair,
        price_limits=instrument.price_limits,
        tick_size=instrument.tick,
        sessions=load_sessions(instrument.calendar),
        roll_sessions=load_sessions(instrument.calendar, hours.hours),
    )
    raw = read_raw(raw_file, rules, root=raw_file.parent, allow_outside=settings.allow_outside)
    return RawData(raw.frame, raw.rejects, {**raw.quality.as_dict(), "source": raw_file.name})
