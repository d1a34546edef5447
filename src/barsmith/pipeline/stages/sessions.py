"""Base bars with what the calendar says about each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from barsmith.bars.base_bars import base_rung, clock_of
from barsmith.bars.ladder import Rung
from barsmith.bars.minutes import FIELDS, as_datetime
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.config import SessionSettings
from barsmith.instruments import Instrument
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.clean import CleanMinutes


@dataclass(frozen=True)
class SessionBars:
    """base: {timeframe or kind of clock: the finished base bars}, in the contract's own prices, in the order of time."""

    base: dict[str, pl.DataFrame]

    @property
    def bars(self) -> pl.DataFrame:
        return next(iter(self.base.values()))


@stage
def sessions(clean: CleanMinutes, instrument: Instrument, hours: SessionSettings, base: str) -> SessionBars:
    """Base bars with session_id, minutes_since_open and session_progress."""
    table = load_sessions(instrument.calendar, hours.hours)
    own = base_rung(clean.minutes, table, base, adjusted=False)
    adjusted = base_rung(clean.minutes, table, base)
    clock = clock_of(base)
    name = clock.kind if clock else base if base != "1m" else "1m_bars"  # 1m.parquet holds the minutes themselves
    return SessionBars({name: bar_table(own, table).with_columns(last_direction=directions(adjusted.bars[:, 3]))})


def bar_table(rung: Rung, table: Sessions) -> pl.DataFrame:
    """A rung as a frame: datetime (the open), decision (the end), prices, volume, contract and session columns.

    session_id: the session's number in the calendar. trade_date: the day it settles for. minutes_since_open: of the bar's end.
    session_progress: 0 to 1, the share of the session that has passed at the bar's end.
    """
    opens, closes = table.opens[rung.session], table.closes[rung.session]
    since = rung.end - opens
    return pl.DataFrame(
        {
            "datetime": as_datetime(rung.start),
            "decision": as_datetime(rung.end),
            **{field: np.ascontiguousarray(rung.bars[:, i]) for i, field in enumerate(FIELDS)},
            "contract": rung.contract,
            "session_id": rung.session,
            "trade_date": pl.Series(table.trade_date[rung.session]).cast(pl.Int32).cast(pl.Date),
            "minutes_since_open": since,
            "session_progress": since / (closes - opens),
        }
    )


def directions(close: np.ndarray) -> pl.Series:
    """Sign of each bar's return, 0 for the first. close: adjusted for rolls, so that a new contract is no move."""
    return pl.Series(np.sign(np.diff(close, prepend=close[:1])).astype(np.int8))
