"""In-session minutes of one continuous contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from barsmith.bars import cleaning
from barsmith.bars.minutes import Minutes, moment
from barsmith.bars.rolls import roll_list
from barsmith.bars.sessions import load_sessions
from barsmith.bars.unmarked_rolls import suspected_rolls
from barsmith.config import CleanSettings, SessionSettings
from barsmith.errors import DataError
from barsmith.instruments import Instrument
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.ingest import RawData


@dataclass(frozen=True)
class CleanMinutes:
    """minutes: what every later stage reads. counts: rows dropped and why, and the changes of contract that a file without rolls makes
    one suspect. rolls: each change of contract with its ratio.
    """

    minutes: Minutes
    counts: dict[str, Any]
    rolls: list[dict[str, Any]]


@stage
def clean(ingest: RawData, instrument: Instrument, hours: SessionSettings, rules: CleanSettings, rolls: tuple[int, ...]) -> CleanMinutes:
    """Minutes outside the session dropped, contracts numbered, roll ratios known. Gaps stay gaps unless the settings fill them."""
    table = load_sessions(instrument.calendar, hours.hours)
    minutes, counts = cleaning.clean(ingest.bars, table, rolls=rolls, rules=rules)
    if not len(minutes):
        raise DataError(
            "bars/out-of-session",
            expected=f"minutes inside the {hours.hours} sessions of {instrument.calendar}",
            came=f"{counts['rows']} rows, all of them outside",
            do="check the symbol, ingest.timezone and sessions.hours",
        )
    known = roll_list(minutes)
    suspects = [] if known or minutes.names else suspected_rolls(minutes.time, minutes.bars, table, instrument.symbol)
    outside = [time for time in rolls if not minutes.time[0] < time <= minutes.time[-1]]
    counts["rolls_outside"] = [f"{moment(time):%Y-%m-%d %H:%M} UTC" for time in outside]
    return CleanMinutes(minutes, {**counts, "suspected_rolls": [one.as_dict() for one in suspects]}, known)
