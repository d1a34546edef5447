"""The market that features are audited on: its raw rows, its clean minutes and its base bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from barsmith.bars import cleaning
from barsmith.bars.base_bars import base_rung
from barsmith.bars.ladder import Rung
from barsmith.bars.minutes import Minutes, as_minutes, moment
from barsmith.bars.sessions import Sessions


@dataclass(frozen=True, eq=False)
class History:
    """raw: checked raw rows. minutes: cleaned. rung: the base bars, prices adjusted. rolls: as the settings give them."""

    raw: pl.DataFrame
    raw_time: np.ndarray
    minutes: Minutes
    adjusted: np.ndarray
    rung: Rung
    sessions: Sessions
    rolls: tuple[int, ...]
    base: str

    @classmethod
    def of(cls, raw: pl.DataFrame, sessions: Sessions, *, base: str, rolls: Sequence[int] = ()) -> History:
        minutes, _ = cleaning.clean(raw, sessions, rolls=rolls)
        rung = base_rung(minutes, sessions, base)
        return cls(raw, as_minutes(raw["datetime"]), minutes, minutes.adjusted(), rung, sessions, tuple(rolls), base)

    def __len__(self) -> int:
        return len(self.rung)

    def known_by(self, now: int) -> pl.DataFrame:
        """The raw rows of minutes that are over by `now`."""
        return self.raw[: int(np.searchsorted(self.raw_time, now))]

    def bar(self, row: int) -> str:
        """A base bar as a report names it."""
        return f"{moment(int(self.rung.start[row])):%Y-%m-%dT%H:%M:%SZ}"
