"""What barriers are tried on: prices to walk, the decisions that count, and what trades on them earn after costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from barsmith.bars.base_bars import base_rung
from barsmith.bars.sessions import load_sessions
from barsmith.labels.barriers import wilder_atr
from barsmith.labels.first_passage import FirstPassage, Outcomes, first_passage
from barsmith.labels.making import session_closes
from barsmith.labels.outcomes import Barriers, window
from barsmith.metrics.trading import session_profits

if TYPE_CHECKING:
    from barsmith.bars.ladder import Rung
    from barsmith.bars.minutes import Minutes
    from barsmith.config import LabelSettings, SessionSettings
    from barsmith.instruments import Instrument
    from barsmith.labels.outcomes import Window

TENTHS = range(5, 41)
"""Barrier distances tried: 0.5 to 4.0 ATR."""


@dataclass(frozen=True, eq=False)
class Prices:
    """What barriers are walked on, in the contract's own prices. atr: (m,) of the base bars. cost: of a round trip, price units.

    closes: (m,) of the bars' sessions where trades end with them, else None.
    """

    minutes: Minutes
    bars: Rung
    closes: np.ndarray | None
    atr: np.ndarray
    cost: float

    @classmethod
    def of(cls, minutes: Minutes, instrument: Instrument, hours: SessionSettings, base: str, settings: LabelSettings) -> Prices:
        sessions = load_sessions(instrument.calendar, hours.hours)
        bars = base_rung(minutes, sessions, base, adjusted=False)
        cost = instrument.round_trip_usd / instrument.usd_per_point
        return cls(minutes, bars, session_closes(sessions, bars, settings), wilder_atr(bars), cost)

    def decisions(self, part: range, longest: int, is_settled: np.ndarray, is_event: np.ndarray | None) -> np.ndarray:
        """The settled rows of a part of the calendar that are asked for a label and whose window of `longest` bars is whole and lies in it too.

        is_settled, is_event: (m,) bool; None: every row is asked.
        """
        rows = np.arange(part.start, part.stop)
        last = window(self.bars, longest, self.closes).last[rows]
        known = is_settled[rows] & (self.atr[rows] > 0.0) & (last >= 0) & (last < part.stop)
        return rows[known] if is_event is None else rows[known & is_event[rows]]

    def market(self, rows: np.ndarray, asked: Sequence[Barriers], longest: int) -> Market:
        return Market.over(self.minutes, self.bars, self.atr, rows, asked, window(self.bars, longest, self.closes), self.cost)


@dataclass(frozen=True, eq=False)
class Market:
    """What a trial is scored on, for n decisions of the training slice in the order of time.

    passages: their first-passage table. session: (n,) 0 .. s-1. cost: of a round trip, price units.
    """

    passages: FirstPassage
    session: np.ndarray
    cost: float

    @classmethod
    def over(
        cls, minutes: Minutes, base: Rung, atr: np.ndarray, rows: np.ndarray, asked: Sequence[Barriers], over: Window, cost: float
    ) -> Market:
        """The market of these decisions, with the distances that `tune` tries and those asked for besides. See `first_passage` for the others."""
        levels = np.unique([*(tenth / 10 for tenth in TENTHS), 3.0, *(k for one in asked for k in (one.k_up, one.k_down))])
        _, session = np.unique(base.session[rows], return_inverse=True)
        return cls(first_passage(minutes, base, atr, rows, levels, over), session, cost)

    def targets(self, barriers: Sequence[Barriers]) -> tuple[np.ndarray, list[Outcomes]]:
        """(n, c) float32 labels of each candidate, and their outcomes."""
        outcomes = [self.passages.outcomes(each) for each in barriers]
        return np.stack([each.label for each in outcomes], axis=1).astype(np.float32), outcomes

    def profits(self, outcome: Outcomes, wanted: np.ndarray) -> tuple[np.ndarray, int]:
        """(s,) price units earned in each session after costs, and the trades. wanted: (n,) a forecast, whose sign is the side taken."""
        profit = np.empty(int(self.session[-1]) + 1)
        rows, entry = self.passages.rows, self.passages.entry
        return profit, int(session_profits(wanted, outcome.log_return, entry, outcome.exit_bar, rows, self.session, self.cost, profit))
