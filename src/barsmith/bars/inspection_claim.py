"""Whether the zone that a file's stamps claim is the one of their clock: clock times that got a Z or an offset by mistake.

A claim is believed until it is refuted: the breaks of the market do not stand where the contract's calendar has them, and do so where
the same stamps, read without their zone, are the clock of another one. No setting overrides a written zone, so it has to come off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from barsmith.bars.inspection_market import Source
from barsmith.bars.inspection_notes import Notes
from barsmith.bars.inspection_time import ENOUGH, Clock, Fit, clock_of, offset_on
from barsmith.bars.minutes import as_datetime
from barsmith.bars.timestamps import Stamps, read_stamps
from barsmith.instruments import Instrument

ZONE_AT_END = r"\s*([Zz]|UTC|GMT|[-+]\d\d(:?\d\d)?|[A-Za-z]+(/[A-Za-z_+-]+[0-9]{0,2}){1,2})$"
HOUR = 60


@dataclass(frozen=True)
class Lie:
    """A refuted claim. zone: what the stamps say. said: the best fit of it, None where nothing fits. shown: that of the stamps without it."""

    zone: str
    said: Fit | None
    shown: Fit

    @property
    def is_sure(self) -> bool:
        """Whether it is the market that closed, and not a user who cut out hours."""
        return self.shown.hours == "ETH"

    def told(self) -> str:
        honest = f"{self.said.begins[0]} begin and {self.said.ends[0]} end" if self.said else "none begins and none ends"
        return f"the stamps say {self.zone}, but {self.shown.told()}; as they say, {honest} so"

    def asks(self, zone: str) -> str:
        what = "the daily break fits" if self.is_sure else "the regular hours fit"
        fits = f"The stamps say {self.zone}, but {what} {zone}: {self.shown.begins[0]} of {self.shown.begins[1]}"
        way = f"take it off, so that they stand without a zone (2026-01-07T04:23:00), and set ingest.timezone: {zone}"
        return f"{fits}. Was their zone written by mistake? Then {way}. As the file stands it is read as {self.zone}: no setting overrides that."


def refuted(
    source: Source, notes: Notes, stamps: Stamps, counts: np.ndarray, said: Clock, contract: Instrument
) -> tuple[Source, Clock, Lie] | None:
    """The file without its stamps' zone and the clock they are of, where the market's breaks refute the zone; its finding is taken back.

    stamps: as claimed. counts: (n,) bool, the bars whose stamps count. said: the clock by the claim.
    """
    if said.is_sure:
        return None
    wall = own_clock(source, notes)
    shown = clock_of(np.unique(wall[counts]), is_utc=False, calendars=(contract.calendar,))
    ahead = int(wall[0] - stamps.time[0])
    if shown.best is None or not _refutes(said, shown, shown.best, ahead, int(wall[0]) // 1440):
        return None
    notes.takes_back("timezone")
    naive = as_datetime(wall).dt.replace_time_zone(None).alias("datetime")
    bare = source.frame.drop("date", "time", strict=False).with_columns(naive)
    return replace(source, frame=bare), shown, Lie(stamps.zone, said.best, shown.best)


def _refutes(said: Clock, shown: Clock, best: Fit, ahead: int, day: int) -> bool:
    """Hours that a user cut out himself stand an hour beside the regular ones in the other half of the year: that refutes nothing.

    ahead: minutes by which the first stamp stands before the UTC that it claims. day: of it, since 1970.
    """
    gain = best.hits - (said.best.hits if said.best else 0)
    moved = abs(offset_on(best.zones[0], day) - ahead)
    return shown.is_known and gain >= ENOUGH and (best.hours == "ETH" or moved > HOUR)


def own_clock(source: Source, notes: Notes) -> np.ndarray:
    """(n,) minutes as the stamps show them, without the zone they claim."""
    name = "datetime" if "datetime" in source.frame.columns else "time"
    column = source.frame[name]
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if isinstance(column.dtype, pl.Datetime):
        column = column.dt.replace_time_zone(None)
    elif column.dtype == pl.String and "ingest.epoch_unit" not in notes.settings:
        column = column.str.strip_chars().str.replace(ZONE_AT_END, "")
    unit = notes.settings.get("ingest.epoch_unit")
    return read_stamps(source.frame.with_columns(column.alias(name)), timezone="UTC", epoch_unit=unit, where=source.name).time
